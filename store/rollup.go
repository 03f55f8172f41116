package store

import (
	"strings"

	"osm"
)

// domainOf is what is behind an address's last @, in lower case; "" where there is none.
func domainOf(address string) string {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return ""
	}
	return strings.ToLower(address[at+1:])
}

// rolled gathers a day's refusals and verdicts while a batch is written.
type rolled struct {
	answers map[answerAt]*answerSum
	hits    map[hitAt]*hitSum
}

type answerAt struct {
	account      int64
	domain, host string
	refusal      osm.Refusal
	code         int
	enhanced     int64
	hour         int64
}

type answerSum struct{ count, last, text, seq int64 }

type hitAt struct {
	account int64
	rule    string
	hour    int64
}

type hitSum struct{ messages, stopped, last int64 }

func newRolled() rolled { return rolled{map[answerAt]*answerSum{}, map[hitAt]*hitSum{}} }

const (
	answerWidth = 11
	answerAdds  = ` ON CONFLICT DO UPDATE SET count = count + excluded.count, text = iif(excluded.last >= last, excluded.text, text),
	seq = iif(excluded.last >= last, excluded.seq, seq), last = max(last, excluded.last)`
	hitWidth = 6
	hitAdds  = ` ON CONFLICT DO UPDATE SET messages = messages + excluded.messages, stopped = stopped + excluded.stopped,
	last = max(last, excluded.last)`
	hourMillis = 3_600_000
)

// answer counts a refusal on the day of its message.
func (w *dayWriter) answer(m *pendingMessage, d *osm.Delivery) {
	domain := domainOf(d.Recipient)
	if d.Refusal == osm.NotRefused || domain == "" {
		return
	}
	t, at := &w.texts, w.day.millis(d.Time)
	key := answerAt{t.id(m.Account), clean(domain), clean(d.Host), d.Refusal, d.Code, t.id(d.Enhanced), at / hourMillis}
	sum := w.rolled.answers[key]
	if sum == nil {
		sum = &answerSum{}
		w.rolled.answers[key] = sum
	}
	sum.count++
	if sum.count == 1 || at >= sum.last {
		sum.last, sum.seq, sum.text = at, m.place.seq, 0
		if d.Outcome != osm.Delivered {
			sum.text = t.id(d.Text)
		}
	}
}

// hit counts a verdict, where it has a row.
func (w *dayWriter) hit(m *pendingMessage) {
	if !keptVerdict(&m.Verdict) {
		return
	}
	at := w.day.millis(m.Time)
	key := hitAt{w.texts.id(m.Account), clean(m.Verdict.Rule), at / hourMillis}
	sum := w.rolled.hits[key]
	if sum == nil {
		sum = &hitSum{last: at}
		w.rolled.hits[key] = sum
	}
	sum.messages++
	if m.Verdict.Stops() {
		sum.stopped++
	}
	sum.last = max(sum.last, at)
}

// write adds the sums to the tables.
func (r *rolled) write(answers, hits *inserter) error {
	for k, s := range r.answers {
		if err := answers.add(k.account, k.domain, k.host, int64(k.refusal), int64(k.code), k.enhanced, k.hour, s.count, s.last, s.text, s.seq); err != nil {
			return err
		}
	}
	for k, s := range r.hits {
		if err := hits.add(k.account, k.rule, k.hour, s.messages, s.stopped, s.last); err != nil {
			return err
		}
	}
	clear(r.answers)
	clear(r.hits)
	return nil
}
