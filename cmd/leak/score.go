package main

import (
	"time"

	"osm"
	"osm/sim"
)

// score is how one judge did in one world.
type score struct {
	world     *sim.World
	learned   time.Time
	misused   map[string]time.Time // since when, by name: a sender has one more number for every oddity
	spam      counted
	learning  counted            // wanted mail of the learning period that it would have stopped
	ham       counted            // wanted mail after the learning period
	victims   counted            // the part of ham from senders that a campaign misuses, from its first message on
	apart     map[string]counted // bounces, mail from outside and forwards, by kind
	kinds     map[string]counted // wanted mail by kind of sender
	campaigns []campaignScore
	senders   map[int]*senderScore
	misread   map[string]int // through a log: what the program understood otherwise, in messages
}

// counted is recipients: how many there were, and on the wrong side.
type counted struct{ all, wrong int }

func (c *counted) add(n int, wrong bool) {
	c.all += n
	if wrong {
		c.wrong += n
	}
}

func (c counted) percent() float64 { return 100 * float64(c.wrong) / float64(max(1, c.all)) }

// campaignScore is how one campaign fared.
type campaignScore struct {
	recipients int
	through    int // let through in all
	messages   int // the messages of these
	before     int // let through before the first message that was stopped
	stopped    bool
	start      time.Time
	after      time.Duration // from its first message to the first one that was stopped
	reason     string
}

// senderScore is what a wanted sender lost.
type senderScore struct {
	kind        string
	all, lost   int
	first       time.Time
	why         string
	asCampaigns bool // a campaign misused it
}

// newScore begins to count for a world. What arrives before the time learned is counted apart.
func newScore(w *sim.World, learned time.Time) *score {
	s := &score{world: w, learned: learned, apart: map[string]counted{}, kinds: map[string]counted{},
		senders: map[int]*senderScore{}, misused: map[string]time.Time{}, campaigns: make([]campaignScore, len(w.Campaigns))}
	for i := range w.Campaigns {
		for _, n := range w.Campaigns[i].Senders {
			name := w.Senders[n].Name
			if t, ok := s.misused[name]; !ok || w.Campaigns[i].Start.Before(t) {
				s.misused[name] = w.Campaigns[i].Start
			}
		}
	}
	return s
}

// count notes what a judge said of an arriving message.
func (s *score) count(ev *sim.Event, action osm.Action) {
	n, stopped := ev.Recipients, action != osm.Accept
	if ev.Time.Before(s.learned) {
		if ev.Label.Wanted() {
			s.learning.add(n, stopped)
		}
		return
	}
	switch l := ev.Label; {
	case l.Campaign != "":
		s.spam.add(n, !stopped)
		s.campaigns[l.ID-1].add(ev, n, stopped)
	case l.Apart:
		c := s.apart[l.Kind]
		c.add(n, stopped)
		s.apart[l.Kind] = c
	default:
		at, ok := s.misused[s.world.Senders[l.Sender].Name]
		s.wanted(ev, n, stopped, ok && !ev.Time.Before(at))
	}
}

// judgeWorld runs a judge over a world. While learning everything is let through. With open, everything is always let
// through whatever the judge says, because it has judged a log of all that.
func judgeWorld(w *sim.World, learned time.Time, decide sim.Decide, open bool) *score {
	s := newScore(w, learned)
	w.Run(func(ev *sim.Event) osm.Action {
		action := decide(ev)
		if ev.Kind != sim.Arrival {
			return action
		}
		if s.count(ev, action); open || ev.Time.Before(learned) {
			return osm.Accept
		}
		return action
	})
	return s
}

// judgeArrivals runs several judges that look at arrivals only over a world at once.
func judgeArrivals(w *sim.World, learned time.Time, judges []sim.Decide) []*score {
	scores := make([]*score, len(judges))
	for i := range scores {
		scores[i] = newScore(w, learned)
	}
	w.Arrivals(func(ev *sim.Event) {
		for i, decide := range judges {
			scores[i].count(ev, decide(ev))
		}
	})
	return scores
}

func (c *campaignScore) add(ev *sim.Event, n int, stopped bool) {
	if c.recipients == 0 {
		c.start = ev.Time
	}
	c.recipients += n
	switch {
	case stopped && !c.stopped:
		c.stopped, c.after, c.reason = true, ev.Time.Sub(c.start), ev.Message.Verdict.Rule+" "+ev.Message.Verdict.Detail
	case !stopped:
		c.through += n
		c.messages++
		if !c.stopped {
			c.before += n
		}
	}
}

func (s *score) wanted(ev *sim.Event, n int, stopped, victim bool) {
	s.ham.add(n, stopped)
	if victim {
		s.victims.add(n, stopped)
	}
	k := s.kinds[ev.Label.Kind]
	k.add(n, stopped)
	s.kinds[ev.Label.Kind] = k
	o := s.senders[ev.Label.Sender]
	if o == nil {
		o = &senderScore{kind: ev.Label.Kind}
		s.senders[ev.Label.Sender] = o
	}
	o.all += n
	if !stopped {
		return
	}
	if o.lost == 0 {
		o.first, o.asCampaigns = ev.Time, victim
		v := ev.Message.Verdict
		o.why = v.Rule + " " + v.Reason + ": " + v.Detail
	}
	o.lost += n
}
