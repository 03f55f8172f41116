package detect

import (
	"math"

	"osm"
)

// weighAnswers weighs what receivers refused. Answers are followed one by one, as strangers are (CUSUMs of log likelihood ratios), so
// that a thousand good ones do not hide the bad ones after them.
func (d *Detector) weighAnswers(l *look) {
	s, e, w := l.s, l.slot, &l.weights
	w[refused] = telling(e.deadRun) * d.most[refused]
	w[refusedAsSpam] = telling(e.spamRun) * d.most[refusedAsSpam]
	if s.complaints.Sum > 0 {
		w[complaints] = d.complained(l) * d.most[complaints]
	}
}

// telling is how much a run of refusals says.
func telling(run float32) float32 { return min(max(run-1, 0)/14, 1) }

// A list is never taken for bad with fewer dead addresses than oldList, and whoever writes to strangers by a program has shown how
// many of those do not exist once he has written to experienced of them: then it is ownDead.
const (
	oldList     = 0.1
	ownDead     = 0.04
	experienced = 300

	worseList = 1.8 // times the usual share is a bad list
	worseMail = 4   // times the usual share is spam
	fewSpam   = 0.02
	runOfBad  = 24 // where a run of refusals is beyond doubt
)

// What one answer tells of a list: whether it is one with 4 % dead addresses at most, rather than one with 15 % or more; and whether it is
// one that 0.2 % refuse as spam at most, rather than one that 3 % do.
const (
	aliveAddress = 0.122  // log(0.96/0.85)
	deadAddress  = -1.322 // log(0.04/0.15)
	takenMail    = 0.0285 // log(0.998/0.97)
	spurnedMail  = -2.708 // log(0.002/0.03)
)

// wasStopped is the score of a message that was stopped, faded since, from which on good answers say nothing: they are those to
// what was sent before the stop.
const wasStopped = 3

// isWelcome is how surely the answers of late are those that a list of the sender's own gets, 0 to 1: some two hundred good ones, and more
// where there are bad ones among them.
func (l *look) isWelcome() float32 {
	e := l.slot
	good := e.answers - e.unknown - e.spam
	sure := min(aliveAddress*good+deadAddress*e.unknown, takenMail*good+spurnedMail*e.spam)
	return min(max(sure, 0)/listLimit, 1) * max(1-e.held/wasStopped, 0)
}

// died follows the recipients that do not exist.
func (s *sender) died(run float32, is bool) float32 {
	if !is && run == 0 {
		return 0
	}
	usual := max(s.refused.of(0.02, 60), oldList)
	if s.key.Kind != osm.KeyLogin && s.newRecipient.of(0.25, 12) > 0.3 {
		usual = max(2*s.refused.of(0.02, 60), oldList-(oldList-ownDead)*min(1, s.newRecipient.cases/experienced))
	}
	return cusum(run, is, min(usual, 0.4), worseList)
}

// spurned follows the refusals that say spam.
func (s *sender) spurned(run float32, is bool) float32 {
	if !is && run == 0 {
		return 0
	}
	return cusum(run, is, min(max(s.refusedSpam.of(0.005, 200), fewSpam), 0.2), worseMail)
}

// cusum is one step of a test for a share that is so many times the usual one (Page 1954).
func cusum(run float32, is bool, usual, times float32) float32 {
	if is {
		run += float32(math.Log(float64(times)))
	} else {
		run += float32(math.Log(float64((1 - times*usual) / (1 - usual))))
	}
	return min(max(run, 0), runOfBad)
}
