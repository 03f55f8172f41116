package detect

import (
	"math/bits"

	"osm"
	"osm/window"
)

// sender is what is known of one identity, in at most 2 KB: see TestSenderSize.
type sender struct {
	row
	key     osm.Key
	account uint64   // hash of the owning account, 0 when unknown
	owner   *account // record of the account of the last message, to find it again without a search
	first   window.Seconds
	sent    float32 // accepted messages

	values

	newRecipient, newNetwork, newClient, newHelo, newFrom, newSubject, repeats, refused, refusedSpam share

	sizes     [8]uint16 // messages by number of recipients: 1, 2-3, 4-7, ...
	week      window.Week
	recent    recents
	topDay    uint8          // level of the strangers of a day that few days exceed, see window.Level
	hour      window.Seconds // number of the hour that is being counted
	inHr      float32        // recipients in it
	day       window.Seconds // number of the day that is being counted
	worst     float32        // highest score of that day
	strangers float32        // recipients never mailed before on that day
	quick     window.Decayed // recipients within minutes
	fails     window.Decayed // failed logins

	complaints window.Decayed // of recipients

	where   osm.Coordinates // from where his own mail last came
	whereAt window.Seconds

	familiar, strange evidence
}

// evidence is what was seen lately, kept apart for messages that come as the sender's always do and for those that do
// not: so a stolen login's owner can go on writing. All counts fade with the half-life.
type evidence struct {
	at         window.Seconds
	messages   float32
	recipients float32
	fresh      float32 // recipients never mailed before; one known to others here counts less
	run        float32 // how far the last recipients tell of a thief's list rather than of the sender's habit (a CUSUM of log likelihood ratios)
	repeats    float32 // messages that repeat a subject that is new
	newSubject float32 // messages with a subject that is new
	networks   float32 // new networks
	froms      float32 // new envelope senders
	answers    float32 // of receivers
	unknown    float32 // refused: no such user
	spam       float32 // refused as spam
	list       list
	deadRun    float32 // how far the last answers tell of a list of dead addresses (a CUSUM of log likelihood ratios)
	spamRun    float32 // how far they tell of spam
	held       float32 // highest score at which a message was stopped
	recent     uint64  // subject of the last message
}

func (e *evidence) counts() [12]*float32 {
	return [...]*float32{&e.messages, &e.recipients, &e.fresh, &e.run, &e.repeats, &e.newSubject, &e.networks, &e.froms,
		&e.answers, &e.unknown, &e.spam, &e.held}
}

func (e *evidence) fade(now window.Seconds, halfLife float64) {
	f := window.Fade(window.Elapsed(e.at, now), halfLife)
	e.at = window.Later(e.at, now)
	if f == 1 {
		return
	}
	e.messages *= f
	e.recipients *= f
	e.fresh *= f
	e.run *= f
	e.repeats *= f
	e.newSubject *= f
	e.networks *= f
	e.froms *= f
	e.answers *= f
	e.unknown *= f
	e.spam *= f
	e.list.bought *= f
	e.list.own *= f
	e.deadRun *= f
	e.spamRun *= f
	e.held *= f
}

// tick closes the hours that are over. Only hours before now count as usual.
func (s *sender) tick(now window.Seconds) {
	if today := now / day; today != s.day {
		quiet := s.worst < calm && !s.outOfCharacter()
		for _, h := range s.habits() {
			h.close(quiet)
		}
		if quiet && s.day != 0 {
			s.topDay = window.Step(s.topDay, window.ToLevel(s.strangers), 0.7, 0.05)
		}
		s.day, s.worst, s.strangers = today, 0, 0
	}
	_, hour := window.HourOf(now)
	if hour == s.hour {
		return
	}
	if s.hour != 0 && hour > s.hour {
		s.week.Learn(s.hour, s.inHr)
		s.week.Quiet(s.hour+1, hour)
	}
	s.hour, s.inHr = hour, 0
}

// outOfCharacter tells of a day on which a person who mostly writes to those he knows wrote to many strangers: one day, however
// little else was odd, does not make that a habit.
func (s *sender) outOfCharacter() bool {
	return s.key.Kind == osm.KeyLogin && s.worst >= 5.5 && s.newRecipient.all >= 50 && s.newRecipient.of(0.25, 12) < 0.25
}

// calm is the score up to which a day's mail may become a habit.
const calm = 7

// busy is the number of recipients that this hour may well have.
func (s *sender) busy(now window.Seconds) float32 {
	_, hour := window.HourOf(now)
	return max(s.week.Usual(hour), s.week.Top(), 3)
}

// larger is the share of earlier messages with at least as many recipients, with a prior of 20 messages as people write.
func (s *sender) larger(recipients int) float32 {
	bin := min(bits.Len(uint(recipients))-1, len(s.sizes)-1)
	var all, above float32 = 20, 20 * priorLarger[bin]
	for i, n := range s.sizes {
		all += float32(n)
		if i >= bin {
			above += float32(n)
		}
	}
	return above / all
}

// priorLarger is the share of people's messages with at least 1, 2, 4, 8, ... recipients.
var priorLarger = [8]float32{1, 0.3, 0.12, 0.03, 0.01, 0.004, 0.002, 0.001}

func (s *sender) learnSize(recipients int) {
	cell := &s.sizes[min(bits.Len(uint(recipients))-1, len(s.sizes)-1)]
	if *cell++; *cell > 1000 {
		for i := range s.sizes {
			s.sizes[i] /= 2
		}
	}
}

func (s *sender) habits() [9]*share {
	return [...]*share{&s.newRecipient, &s.newNetwork, &s.newClient, &s.newHelo, &s.newFrom, &s.newSubject, &s.repeats, &s.refused,
		&s.refusedSpam}
}
