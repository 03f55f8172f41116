package daemon

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"osm"
	"osm/policy"
	"osm/web"
	"osm/window"
)

// What a trial remembers at most: some 150 MB.
const (
	mostFollowed = 200_000   // messages of the difference of which is heard what became of them
	mostFamiliar = 1_000_000 // pairs of a sender and a recipient
	mostSenders  = 2000      // of each side
	toldSenders  = 100
	mostTried    = 5 // samples of a sender
)

// trialCount adds up what a trial finds. One goroutine uses it.
type trialCount struct {
	messages        int64
	first, last     time.Time
	newly, noLonger *trialSide
	others          int64
	bounded         bool
	followed        map[string]*followed // by Exim's id
	familiar        *window.Known
	heard           []heard // in the line that is being read
	listedSo        int     // list entries that are in force so far
}

// trialSide is one side of the difference.
type trialSide struct {
	web.TrialCount
	senders map[stopKey]*web.TrialSender
	more    map[stopKey]struct{} // that did not fit, as far as they are told apart
}

// followed is a message of the difference.
type followed struct {
	side   *trialSide
	sender *web.TrialSender // nil: it did not fit
	sample int              // index of sender.Samples, -1 for none
	fate   fate
}

// fate is what became of a message, as far as it was heard.
type fate uint8

const (
	fateUnknown fate = iota
	fateDelivered
	fateRefused
)

func (f fate) String() string { return [...]string{"unknown", "delivered", "refused"}[f] }

// field is where messages of this fate are counted.
func (f fate) field(n *web.TrialCount) *int64 {
	return [...]*int64{&n.Unknown, &n.Delivered, &n.Refused}[f]
}

type heard struct {
	id      string
	outcome osm.Outcome
}

func newTrialCount() *trialCount {
	return &trialCount{newly: newTrialSide(), noLonger: newTrialSide(), followed: map[string]*followed{},
		familiar: window.NewKnown(mostFamiliar)}
}

func newTrialSide() *trialSide {
	return &trialSide{senders: map[stopKey]*web.TrialSender{}, more: map[stopKey]struct{}{}}
}

// message counts every message, as it was decided without the change.
func (c *trialCount) message(m *osm.Message) {
	c.messages++
	if c.first.IsZero() {
		c.first = m.Time
	}
	c.last = m.Time
	if m.Verdict.Action != osm.Accept {
		return
	}
	who, now := submitter(m), window.Seconds(m.Time.Unix())
	for _, r := range m.Recipients {
		c.familiar.Add(window.Hash(who, r), now)
	}
}

// difference counts a message about which the two decide otherwise.
func (c *trialCount) difference(before, after *osm.Message) {
	switch was, is := before.Verdict.Stops(), after.Verdict.Stops(); {
	case is && !was:
		c.add(c.newly, before, &after.Verdict)
	case was && !is:
		c.add(c.noLonger, before, &before.Verdict)
	case is:
		c.others++
	}
}

// add counts a message on one side, with the verdict that stops it.
func (c *trialCount) add(side *trialSide, m *osm.Message, v *osm.Verdict) {
	one := web.TrialCount{Messages: 1, Recipients: int64(len(m.Recipients)), Unknown: 1}
	if c.knows(m) {
		one.Familiar = 1
	}
	addTrial(&side.TrialCount, &one)
	f := &followed{side: side, sender: side.sender(m, v), sample: -1}
	if f.sender != nil {
		addTrial(&f.sender.TrialCount, &one)
		if len(f.sender.Samples) < mostTried {
			f.sample = len(f.sender.Samples)
			f.sender.Samples = append(f.sender.Samples, sampleOf(m))
		}
	}
	if m.ID == "" {
		return
	}
	if len(c.followed) >= mostFollowed {
		c.bounded = true
		return
	}
	c.followed[strings.Clone(m.ID)] = f
}

// knows tells whether all recipients of a message are people its submitter had written to before.
func (c *trialCount) knows(m *osm.Message) bool {
	who := submitter(m)
	return len(m.Recipients) > 0 && !slices.ContainsFunc(m.Recipients, func(r string) bool { return !c.familiar.Has(window.Hash(who, r)) })
}

func addTrial(to, n *web.TrialCount) {
	to.Messages += n.Messages
	to.Recipients += n.Recipients
	to.Unknown += n.Unknown
	to.Familiar += n.Familiar
}

// sender is whom a message is charged to, nil when there are too many.
func (s *trialSide) sender(m *osm.Message, v *osm.Verdict) *web.TrialSender {
	key := v.Key
	if key.Value == "" { // a condition without a key
		key = usualKey(m)
	}
	k := stopKey{key, v.Rule}
	one := s.senders[k]
	if one == nil && len(s.senders) < mostSenders {
		key.Value = strings.Clone(key.Value)
		one = &web.TrialSender{Key: key, Rule: v.Rule, Action: v.Action, Detail: strings.Clone(v.Detail), Samples: []web.TrialSample{}}
		s.senders[stopKey{key, v.Rule}] = one
	}
	if one == nil && len(s.more) < mostSenders {
		k.key.Value = strings.Clone(k.key.Value)
		s.more[k] = struct{}{}
	}
	return one
}

// usualKey is what a message would be charged to.
func usualKey(m *osm.Message) osm.Key {
	for _, kind := range []osm.KeyKind{osm.KeyLogin, osm.KeyScript, osm.KeyUser, osm.KeyClient, osm.KeySender} {
		if v := policy.Value(m, kind); v != "" {
			return osm.Key{Kind: kind, Value: v}
		}
	}
	return osm.Key{}
}

func sampleOf(m *osm.Message) web.TrialSample {
	s := web.TrialSample{Time: m.Time, ID: strings.Clone(m.ID), Class: m.Class, Sender: strings.Clone(m.Sender), Recipients: len(m.Recipients),
		Subject: strings.Clone(m.Subject), Outcome: "unknown"}
	if len(m.Recipients) > 0 {
		s.Recipient = strings.Clone(m.Recipients[0])
	}
	return s
}

// delivery notes what a line tells of a message: it is settled when the message itself has been counted.
func (c *trialCount) delivery(m *osm.Message, d *osm.Delivery) {
	if d.Outcome == osm.Delivered || d.Outcome == osm.Failed {
		c.heard = append(c.heard, heard{m.ID, d.Outcome})
	}
}

// settle counts what became of messages. Once refused is refused.
func (c *trialCount) settle() {
	for _, h := range c.heard {
		f := c.followed[h.id]
		switch {
		case f == nil:
		case h.outcome == osm.Failed:
			f.became(fateRefused)
			delete(c.followed, h.id)
		default:
			f.became(fateDelivered)
		}
	}
	c.heard = c.heard[:0]
}

func (f *followed) became(now fate) {
	counts := []*web.TrialCount{&f.side.TrialCount}
	if f.sender != nil {
		counts = append(counts, &f.sender.TrialCount)
	}
	for _, n := range counts {
		*f.fate.field(n)--
		*now.field(n)++
	}
	f.fate = now
	if f.sample >= 0 {
		f.sender.Samples[f.sample].Outcome = now.String()
	}
}

// told copies a side for those who look.
func (s *trialSide) told() web.TrialSide {
	side := web.TrialSide{TrialCount: s.TrialCount, Senders: []web.TrialSender{}, More: len(s.more)}
	for _, one := range s.senders {
		side.Senders = append(side.Senders, *one)
	}
	slices.SortFunc(side.Senders, func(a, b web.TrialSender) int {
		return cmp.Or(cmp.Compare(b.Messages, a.Messages), cmp.Compare(a.Key.String(), b.Key.String()))
	})
	if len(side.Senders) > toldSenders {
		side.More += len(side.Senders) - toldSenders
		side.Senders = side.Senders[:toldSenders]
	}
	for i := range side.Senders {
		side.Senders[i].Samples = slices.Clone(side.Senders[i].Samples)
	}
	return side
}

// listed puts the list entries in force that were there at the time: whom somebody has allowed since is allowed from the
// beginning, as nobody asks what a change would do to him.
func (c *trialCount) listed(entries []policy.Entry, r *replayed) {
	n := 0
	for n < len(entries) && !entries[n].Added.After(c.last) {
		n++
	}
	if n == c.listedSo && c.messages > 0 {
		return
	}
	c.listedSo = n
	var now []policy.Entry
	for i, e := range entries {
		if i < n || e.Allow {
			now = append(now, e)
		}
	}
	r.engine.Policy.Lists.Set(now)
	r.other.Policy.Lists.Set(now)
}
