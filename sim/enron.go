package sim

import (
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// history is one real person's mail in time order.
type history []letter

type letter struct {
	at      int64 // seconds, in the sender's local time
	subject string
	to      []int
}

// enronZone moves the histories' times to the senders' clock: with it the quiet hours are the night, the quiet days
// the weekend.
const enronZone = 7 * 3600

// readHistories reads the people of one family: even numbers are for one, odd ones for the other. A missing or damaged
// folder gives none, and the model serves instead.
func readHistories(folder string, family Family) []history {
	if folder == "" {
		return nil
	}
	messages, err := readGzip(filepath.Join(folder, "messages.tsv.gz"))
	if err != nil {
		return nil
	}
	recipients, err := readGzip(filepath.Join(folder, "recipients.tsv.gz"))
	if err != nil {
		return nil
	}
	to := map[string][]int{}
	for line := range strings.Lines(recipients) {
		if f := strings.Split(strings.TrimSpace(line), "\t"); len(f) == 3 {
			if n, err := strconv.Atoi(f[2]); err == nil {
				to[f[0]] = append(to[f[0]], n)
			}
		}
	}
	people := map[int]history{}
	for line := range strings.Lines(messages) {
		f := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(f) != 5 {
			continue
		}
		at, err1 := strconv.ParseInt(f[2], 10, 64)
		who, err2 := strconv.Atoi(f[4])
		if err1 != nil || err2 != nil || who%2 != int(family) {
			continue
		}
		people[who] = append(people[who], letter{at: at + enronZone, subject: f[3], to: to[f[0]]})
	}
	var all []history
	for who := range 1000 {
		if h := people[who]; len(h) >= 10 {
			slices.SortStableFunc(h, func(x, y letter) int { return int(x.at - y.at) })
			all = append(all, h)
		}
	}
	return all
}

func readGzip(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(z)
	return string(text), err
}

// relive plans a real person's mail: a stretch of his history as long as the world, moved by whole weeks.
func (b *builder) relive(p *person, d dice, h history) {
	const week = 7 * 24 * 3600
	days := int64(b.cfg.Days) * 86400
	first := h[d.IntN(max(1, len(h)*2/3))].at // begins at a message of his, so never in an empty year
	start := b.cfg.Start.Unix()
	move := (start - first) / week * week
	contacts := map[int]string{}
	for _, l := range h {
		at := l.at + move - start
		if at < -week || at >= days {
			continue
		}
		var to []string
		for _, who := range l.to {
			c, ok := contacts[who]
			if !ok {
				c = b.contact(d, p.account)
				contacts[who] = c
				p.likes = append(p.likes, c)
			}
			if !slices.Contains(to, c) {
				to = append(to, c)
			}
		}
		when := time.Duration(at)*time.Second + d.between(0, time.Minute)
		if d.chance(p.newRate) && len(to) < 5 { // mail to the outside, which the histories lack
			to = append(to, b.acquaint(p, d, when, l.subject))
		}
		b.send(send{at: when, src: p.src, from: p.device(d, when).connect(d), sender: p.address, subject: l.subject, to: to,
			size: int32(d.lognormal(4000, 1.6))})
	}
}
