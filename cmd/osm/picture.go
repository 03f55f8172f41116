package main

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"charm.land/lipgloss/v2"

	"osm"
	"osm/action"
	"osm/lab"
)

// picture is what the demo shows: a line for each message when its result is known and, on a terminal, one line of
// totals below them. The engine, the senders and the clock draw it together.
type picture struct {
	mu       sync.Mutex
	out      io.Writer
	now      func() time.Time
	active   bool // what is stopped is really stopped
	begin    time.Time
	layout   layout
	terminal bool            // the line of totals is drawn over
	rows     map[string]*row // by message id
	bounces  map[string]int  // shown, by recipient
	good     tally
	victim   tally // mail of the stolen login's owner since the theft: it is stopped with the login
	spam     map[lab.Scene]*tally

	delivered, deferred, failed, refused int // recipients, and letters that Exim refused
}

// tally counts messages of one kind by what osm said of them.
type tally struct {
	messages, recipients int
	held, refused        int // messages, really or not
	through, throughTo   int // messages, recipients that were not stopped
}

// row is one message and what became of it so far.
type row struct {
	message           osm.Message
	seen              time.Time
	delivered, failed int // recipients
	deferred          int // attempts
	remote            bool
	refusal           osm.Refusal // of the latest failure or deferral
	spam              bool        // in truth
	shown             bool
}

// stopped tells whether Exim was told not to send it.
func (r *row) stopped() bool { return r.message.Verdict.Stops() && !r.message.Verdict.Passive }

// patience is how long a message waits for its result before it is shown without, and memory how long a deferred one may
// still get one.
const (
	patience = 2 * time.Second
	memory   = 10 * time.Minute
)

func newPicture(out io.Writer, now func() time.Time) *picture {
	width := terminalWidth(out)
	p := &picture{out: out, now: now, begin: now(), layout: newLayout(width), terminal: width > 0,
		rows: map[string]*row{}, bounces: map[string]int{}, spam: map[lab.Scene]*tally{}}
	p.print(lipgloss.NewStyle().Bold(true).Render(p.layout.line(heads())))
	return p
}

// arrival takes a message that has come in.
func (p *picture) arrival(m *osm.Message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := &row{message: *m, seen: p.now()}
	r.message.Recipients = slices.Clone(m.Recipients)
	p.rows[m.ID] = r
	count := p.tallyOf(m)
	count.add(m)
	if r.spam = count != &p.good && count != &p.victim; r.stopped() {
		p.show(r)
	}
}

func (t *tally) add(m *osm.Message) {
	t.messages++
	t.recipients += len(m.Recipients)
	switch {
	case !m.Verdict.Stops():
		t.through++
		t.throughTo += len(m.Recipients)
	case m.Verdict.Action == osm.Hold:
		t.held++
	default:
		t.refused++
	}
}

// tallyOf finds where a message counts, by the truth about it, and announces what begins with it.
func (p *picture) tallyOf(m *osm.Message) *tally {
	scene := lab.SpamSceneOf(m)
	switch {
	case scene.Spam() && p.spam[scene] == nil:
		p.spam[scene] = &tally{}
		p.announce(scene)
	case !scene.Spam() && m.Login == lab.StolenLogin && p.spam[lab.Stolen] != nil:
		return &p.victim
	case !scene.Spam():
		return &p.good
	}
	return p.spam[scene]
}

// delivery takes what became of one recipient.
func (p *picture) delivery(m *osm.Message, d *osm.Delivery) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.rows[m.ID]
	if r == nil || r.stopped() && (d.Outcome == osm.Deferred || r.message.Verdict.Action != osm.Hold) {
		return // it waits in the queue, or is returned to its sender
	}
	switch d.Outcome {
	case osm.Delivered:
		r.delivered++
		p.delivered++
		r.remote = r.remote || d.Remote
	case osm.Deferred:
		r.deferred++
		p.deferred++
		r.refusal = d.Refusal
	case osm.Failed:
		r.failed++
		p.failed++
		r.refusal = d.Refusal
	}
	r.message.Class = m.Class // a delivery may tell that it is a forward
	if r.open() == 0 || !r.shown && r.deferred >= r.open() {
		p.show(r)
	}
}

// open is how many recipients have no final result.
func (r *row) open() int { return max(max(len(r.message.Recipients), 1)-r.delivered-r.failed, 0) }

// sent takes what Exim said to a sender.
func (p *picture) sent(l *lab.Letter, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.Scene == lab.Mailing {
		p.announce(l.Scene)
	}
	if err == nil {
		return
	}
	p.refused++
	if p.active && refused(l, err) {
		return // shown as a message of its own
	}
	text := fmt.Sprintf("refused: %s to %s: %v", l.Sender, strings.Join(l.Recipients, ", "), err)
	p.print(colour(red).Render(cut(osm.Printable(text), p.layout.width)))
}

// verdictID is how osm's own refusals end.
var verdictID = regexp.MustCompile(`\(V[0-9A-Z]+\)`)

// refused tells whether an error is osm's refusal. A script's sendmail only has an exit status: its user is told by mail.
func refused(l *lab.Letter, err error) bool {
	return verdictID.MatchString(err.Error()) || l.Script != nil && strings.HasSuffix(err.Error(), ": exit status 1: ")
}

// draw shows what has waited long enough, forgets what is over, and brings the totals up to date.
func (p *picture) draw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.now()
	for id, r := range p.rows {
		age := now.Sub(r.seen)
		if !r.shown && age > patience {
			p.show(r)
		}
		if r.shown && r.open() == 0 || age > memory {
			delete(p.rows, id)
		}
	}
	p.status()
}

// settle draws on for a while, until all messages have a result.
func (p *picture) settle() { p.drawUntil(func() bool { return !p.waiting() }) }

// await draws on for a while, until a message has been delivered.
func (p *picture) await(id string) {
	p.drawUntil(func() bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		r := p.rows[id]
		return r == nil || r.delivered+r.failed > 0
	})
}

func (p *picture) drawUntil(done func() bool) {
	tick := time.NewTicker(frame)
	defer tick.Stop()
	for range settle / frame {
		if done() {
			break
		}
		<-tick.C
		p.draw()
	}
}

// wanted tells whether a message is known not to be spam.
func (p *picture) wanted(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.rows[id]
	return r != nil && !r.spam
}

// waiting tells whether there are messages without a result.
func (p *picture) waiting() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range p.rows {
		if !r.shown {
			return true
		}
	}
	return false
}

// Write puts what the daemon logs among the messages.
func (p *picture) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for line := range strings.Lines(string(text)) {
		p.print(cut(osm.Printable(strings.TrimSuffix(line, "\n")), p.layout.width))
	}
	return len(text), nil
}

// mostBounces is how many bounces to one recipient are shown: spam makes many.
const mostBounces = 3

// show prints a message's line. A message that was deferred is shown again when it has a final result.
func (p *picture) show(r *row) {
	if to := r.message.Recipients; r.message.Sender == "" && len(to) == 1 {
		if p.bounces[to[0]]++; p.bounces[to[0]] > mostBounces {
			r.shown = true
			return
		}
	}
	text, style := r.result()
	p.print(p.layout.styled(append(p.layout.describe(&r.message), text), colour(classColours[r.message.Class]), style))
	r.shown = true
}

// announce says what begins.
func (p *picture) announce(scene lab.Scene) {
	p.print("")
	ink := colour(red)
	if !scene.Spam() {
		ink = lipgloss.NewStyle().Bold(true)
	}
	p.print(ink.Render(fmt.Sprintf("──── %s: %s", p.now().Format(time.TimeOnly), scene.Story())))
	p.print("")
}

// headline says what is done now.
func (p *picture) headline(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.print("")
	p.print(lipgloss.NewStyle().Bold(true).Render(fmt.Sprintf("──── %s: %s", p.now().Format(time.TimeOnly), text)))
	p.print("")
}

// alert shows what an administrator is told.
func (p *picture) alert(a *action.Alert) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.print("")
	p.print(colour(red).Bold(true).Render("──── alert: " + cut(a.Subject(), p.layout.width-12)))
	for line := range strings.Lines(a.Text()) {
		p.print(colour(red).Render("│ ") + cut(osm.Printable(strings.TrimSuffix(line, "\n")), p.layout.width-2))
	}
	p.print("")
}

// print writes one finished line above the totals.
func (p *picture) print(line string) {
	if p.terminal {
		io.WriteString(p.out, eraseLine)
	}
	lipgloss.Fprint(p.out, line+"\n") // without the colours that out can't show
	p.status()
}

// eraseLine goes to the start of the line and clears it (ECMA-48, EL).
const eraseLine = "\r\x1b[2K"

func (p *picture) status() {
	if !p.terminal {
		return
	}
	text := fmt.Sprintf(" %s  %s", p.now().Sub(p.begin).Truncate(time.Second), p.sums())
	lipgloss.Fprint(p.out, eraseLine+lipgloss.NewStyle().Reverse(true).Render(cut(text, p.layout.width-1)))
}

// sums are all totals in words.
func (p *picture) sums() string {
	spam := 0
	for _, t := range p.spam {
		spam += t.messages
	}
	text := fmt.Sprintf("%s messages, %s of them spam; recipients: %s delivered, %s deferred, %s failed",
		number(p.good.messages+p.victim.messages+spam), number(spam), number(p.delivered), number(p.deferred), number(p.failed))
	if p.refused > 0 {
		text += fmt.Sprintf("; %s refused at once", number(p.refused))
	}
	return text
}

// end prints the last totals, and what osm said against what is true.
func (p *picture) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.terminal {
		io.WriteString(p.out, eraseLine)
		p.terminal = false
	}
	p.print("")
	p.print(p.sums() + ".")
	for _, scene := range lab.SpamScenes() {
		if t := p.spam[scene]; t != nil {
			p.print(t.text(string(scene), p.active))
		}
	}
	if p.victim.messages > 0 {
		p.print(p.victim.text("its owner", p.active))
	}
	p.print(p.good.text("wanted mail", p.active))
	p.print("")
}

// text tells what became of a kind of message, or would have.
func (t *tally) text(name string, active bool) string {
	none, would := "none of them would have been stopped", "would have "
	if active {
		none, would = "none of them stopped", ""
	}
	text := fmt.Sprintf("%-13s  %s messages to %s recipients: ", name, number(t.messages), number(t.recipients))
	if t.held+t.refused == 0 {
		return text + none
	}
	return text + fmt.Sprintf("%sheld %s, refused %s, let through %s to %s", would, number(t.held),
		number(t.refused), number(t.through), number(t.throughTo))
}
