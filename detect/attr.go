package detect

import "osm/window"

// attr is one value of a property (a network, a HELO name, a subject) that a sender has used.
type attr struct {
	hash   uint64
	born   window.Seconds // first used
	last   window.Seconds // last used
	trust  uint8          // accepted messages with it while nothing was suspicious
	shared bool           // the account's other senders know it too
	day    uint16         // of a subject: the day of the following counts,
	fresh  uint16         // recipients never mailed before who got it,
	all    uint16         // and all
}

const (
	day         = 24 * 3600
	matureAge   = day
	matureTrust = 3
)

// mature tells whether a value has become a habit: an intruder's values must not become one by the first messages that
// slip through.
func (a *attr) mature(now window.Seconds) bool {
	return a.trust >= matureTrust && window.Elapsed(a.born, now) >= matureAge
}

// deliver counts the recipients of a subject on one day.
func (a *attr) deliver(fresh float32, all int, now window.Seconds) {
	if today := uint16(now / day); a.day != today {
		a.day, a.fresh, a.all = today, 0, 0
	}
	if int(a.all)+all > 1<<15 {
		a.fresh, a.all = a.fresh/2, a.all/2
	}
	a.fresh += uint16(min(fresh+0.5, 1<<14))
	a.all += uint16(min(all, 1<<14))
}

// founding tells whether a value was there from the start: there is nothing to compare it with.
func (a *attr) founding(s *sender) bool { return window.Elapsed(s.first, a.born) < day/2 }

func less(a, b *attr) bool {
	ta, tb := min(a.trust, matureTrust), min(b.trust, matureTrust)
	if ta != tb {
		return ta < tb
	}
	return a.last < b.last
}

// share is how often something happens: a count of cases among all, where old ones fade as new ones come. What happens
// today is not a habit yet: it becomes part of the share when the day is over, and only if nothing was suspicious in it.
type share struct{ cases, all, casesToday, today float32 }

const shareMemory = 2000

func (s *share) add(is bool, n float32) {
	if is {
		s.casesToday += n
	}
	s.today += n
}

// close ends a day.
func (s *share) close(calm bool) {
	if calm {
		s.cases += s.casesToday
		s.all += s.today
		if s.all > shareMemory {
			s.cases *= shareMemory / s.all
			s.all = shareMemory
		}
	}
	s.casesToday, s.today = 0, 0
}

// of is the share with a prior: as if n cases had been seen before, mean of them positive.
func (s *share) of(mean, n float32) float32 { return (s.cases + mean*n) / (s.all + n) }
