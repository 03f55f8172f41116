package sim

import (
	"container/heap"
	"math/rand/v2"
	"net/netip"
	"strings"
	"time"

	"osm"
)

// live is a message on its way through the server.
type live struct {
	message *osm.Message
	send    *send
	number  uint64
	label   Label
	tries   []try
	bounce  time.Duration
}

// try is one planned attempt for one recipient.
type try struct {
	at      time.Duration
	to      int
	outcome osm.Outcome
	answer  answer
	refusal osm.Refusal
	host    receiver
	slow    time.Duration // how long the attempt took
	more    bool          // written with -> : another recipient of the same transaction
}

// pending is something that will happen.
type pending struct {
	at  time.Duration
	seq int
	of  *live
	try int // index into tries; -1 is the end of the message
}

type queue []pending

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at < q[j].at || (q[i].at == q[j].at && q[i].seq < q[j].seq)
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(pending)) }
func (q *queue) Pop() any {
	last := len(*q) - 1
	p := (*q)[last]
	*q = (*q)[:last]
	return p
}

// run is one pass over a world.
type run struct {
	world  *World
	judge  Decide
	queue  queue
	seq    int
	memory memory
	dice   dice
	pcg    *rand.PCG
}

// Run plays the world to a judge, in order of time. What the judge does not accept is neither delivered nor bounced,
// and the receivers never learn of it.
func (w *World) Run(judge Decide) {
	pcg := rand.NewPCG(0, 0)
	r := &run{world: w, judge: judge, pcg: pcg, dice: dice{rand.New(pcg)}}
	failures := w.failures
	for i := 0; ; {
		next := time.Duration(1 << 62)
		if i < len(w.sends) {
			next = w.sends[i].at
		}
		switch {
		case len(failures) > 0 && failures[0].at < next && (len(r.queue) == 0 || failures[0].at < r.queue[0].at):
			f := failures[0]
			failures = failures[1:]
			r.judge(&Event{Kind: AuthFailure, Time: w.time(f.at),
				Failure: Failure{Login: f.login, Client: f.from.ip, Helo: f.from.helo}})
		case len(r.queue) > 0 && r.queue[0].at < next:
			r.happen(heap.Pop(&r.queue).(pending))
		case i < len(w.sends):
			r.arrive(&w.sends[i], uint64(i))
			i++
		default:
			return
		}
	}
}

// Arrivals shows the planned messages only, without deliveries, bounces and failed logins: enough, and several times faster,
// for judges that look at nothing else.
func (w *World) Arrivals(see func(ev *Event)) {
	for i := range w.sends {
		s := &w.sends[i]
		m := w.message(s, uint64(i))
		see(&Event{Kind: Arrival, Time: m.Time, Message: m, Label: w.label(s), Recipients: len(s.to)})
	}
}

func (w *World) time(at time.Duration) time.Time { return w.Config.Start.Add(at) }

// arrive shows a message to the judge and plans what becomes of it.
func (r *run) arrive(s *send, number uint64) {
	r.pcg.Seed(r.world.seed, number)
	l := &live{send: s, number: number, message: r.world.message(s, number), label: r.world.label(s)}
	if r.judge(&Event{Kind: Arrival, Time: l.message.Time, Message: l.message, Label: l.label,
		Recipients: len(s.to)}) != osm.Accept {
		return
	}
	r.deliver(l)
}

func (w *World) label(s *send) Label {
	l := Label{Kind: s.src.kind, Sender: s.src.number, Apart: s.src.class == osm.Inbound || s.src == w.mailer}
	if s.campaign != 0 {
		c := &w.Campaigns[s.campaign-1]
		l.Kind, l.Campaign, l.ID, l.Apart = c.Kind, c.Kind, int(s.campaign), false
	}
	return l
}

// deliver plans every attempt of an accepted message. Receivers answer within seconds; a deferral is tried again.
func (r *run) deliver(l *live) {
	d, s := r.dice, l.send
	var lastDomain string
	var lastTry try
	begin := s.at + 50*time.Millisecond + time.Duration(d.lognormal(float64(150*time.Millisecond), 0.7))
	for i, to := range s.to {
		address := to
		if target, ok := r.world.forwards[to]; ok {
			address = target
		}
		domain := address[strings.LastIndexByte(address, '@')+1:]
		slow := time.Duration(d.lognormal(float64(900*time.Millisecond), 0.9))
		t := try{to: i, host: receiverOf(domain), slow: slow}
		if r.world.local(domain) {
			t.at, t.slow = begin+5*time.Millisecond, 2*time.Millisecond
			l.tries = append(l.tries, t)
			continue
		}
		if domain == lastDomain { // one transaction for all recipients of a domain
			t.at, t.slow = lastTry.at, lastTry.slow
		} else {
			begin += time.Duration(d.lognormal(float64(60*time.Millisecond), 0.8))
			t.at = begin + slow
		}
		t.refusal = r.memory.refusalOf(d, s, t.host, address, s.at)
		t.more = domain == lastDomain && t.refusal == osm.NotRefused && lastTry.refusal == osm.NotRefused
		lastDomain, lastTry = domain, t
		r.attempts(l, t, address)
	}
	end := time.Duration(0)
	for i := range l.tries {
		t := &l.tries[i]
		end = max(end, t.at)
		if t.outcome == osm.Failed {
			l.bounce = max(l.bounce, t.at+20*time.Millisecond)
		}
		r.push(pending{at: t.at, of: l, try: i})
	}
	r.push(pending{at: end + time.Millisecond, of: l, try: -1})
	if l.bounce != 0 && s.sender != "" {
		r.push(pending{at: l.bounce, of: l, try: -2})
	}
}

// attempts follows one recipient from the first attempt to the last.
func (r *run) attempts(l *live, t try, address string) {
	d := r.dice
	if t.refusal == osm.NotRefused {
		l.tries = append(l.tries, t)
		return
	}
	t.answer = r.world.answers.say(t.host, d, t.refusal, address)
	t.outcome = osm.Failed
	if t.answer.code >= 500 {
		l.tries = append(l.tries, t)
		return
	}
	t.outcome = osm.Deferred
	wait := []time.Duration{15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour}
	for n, limit := 0, 1+d.IntN(3); n < limit; n++ {
		l.tries = append(l.tries, t)
		t.at += wait[n] + d.between(0, 5*time.Minute)
	}
	l.tries = append(l.tries, try{at: t.at, to: t.to, host: t.host, slow: t.slow})
}

func (r *run) push(p pending) {
	r.seq++
	p.seq = r.seq
	heap.Push(&r.queue, p)
}

// happen tells the judge of an attempt, the end of a message, or makes a bounce.
func (r *run) happen(p pending) {
	l, w := p.of, r.world
	switch p.try {
	case -1:
		r.judge(&Event{Kind: Completed, Time: w.time(p.at), Message: l.message, Label: l.label})
	case -2:
		r.bounce(l, p.at)
	default:
		ev := &Event{Kind: Delivery, Time: w.time(p.at), Message: l.message, Label: l.label}
		ev.Delivery, ev.AtData = w.delivery(l, &l.tries[p.try]), l.tries[p.try].answer.atData
		if ev.Delivery.Remote && l.message.Class == osm.Inbound {
			l.message.Class = osm.Forward // it leaves again
		}
		r.judge(ev)
	}
}

// bounce tells the sender of a message what failed; Exim makes it.
func (r *run) bounce(l *live, at time.Duration) {
	w := r.world
	s := &send{at: at, src: w.mailer, subject: "Mail delivery failed: returning message to sender",
		to: []string{l.send.sender}, size: l.send.size + 1500, mood: &ordinary}
	b := &live{send: s, label: w.label(s), message: w.message(s, l.number|bounceNumber)}
	b.message.Parent = l.message.ID
	if r.judge(&Event{Kind: Arrival, Time: b.message.Time, Message: b.message, Label: b.label,
		Recipients: 1}) == osm.Accept {
		r.deliver(b)
	}
}

// delivery fills in one attempt as the log would tell it.
func (w *World) delivery(l *live, t *try) *osm.Delivery {
	to := l.send.to[t.to]
	dl := &osm.Delivery{Time: w.time(t.at), Outcome: t.outcome, Recipient: to, Original: to, Router: "dnslookup",
		Transport: "remote_smtp", Remote: true, Refusal: t.refusal}
	if target, ok := w.forwards[to]; ok {
		dl.Recipient = target
	}
	domain := dl.Recipient[strings.LastIndexByte(dl.Recipient, '@')+1:]
	if w.local(domain) {
		dl.Router, dl.Transport, dl.Remote = "virtual_user", "virtual_localdelivery", false
		return dl
	}
	dl.Host, dl.IP, dl.Port = receiverHost(t.host, domain)
	switch {
	case t.outcome == osm.Delivered:
		dl.Code, dl.Text = 250, "250 2.0.0 OK"
	default:
		dl.Code, dl.Enhanced, dl.Text = t.answer.code, t.answer.status, t.answer.text
	}
	return dl
}

// receiverHost names the server that takes a domain's mail.
func receiverHost(r receiver, domain string) (string, netip.Addr, uint16) {
	h := hashOf(domain)
	ip := netip.AddrFrom4([4]byte{198, 18 + byte(h&1), byte(h >> 8), byte(h>>16) | 1}) // RFC 2544's block
	switch r {
	case google:
		return "gmail-smtp-in.l.google.com", netip.AddrFrom4([4]byte{142, 250, 27, 26}), 25
	case microsoft:
		return "eur.olc.protection.outlook.com", netip.AddrFrom4([4]byte{52, 101, 68, byte(h) | 1}), 25
	case yahoo:
		return "mta7.am0.yahoodns.net", netip.AddrFrom4([4]byte{67, 195, 204, 77}), 25
	default:
		return "mx." + domain, ip, 25
	}
}
