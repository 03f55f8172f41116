package osm

import "math"

// Opinions are what outside checks said of one message: block lists, SPF, signatures, greylisting, a content scanner. The zero
// value means that nothing was asked. All strings but those named as osm's own words come from the network and are hostile.
type Opinions struct {
	Listings []Listing // on DNS block lists
	Weight   float64   // sum of their weights

	SPF         string // of the submitting host for the sender's domain (RFC 7208 section 2.6): pass, fail, softfail ...; "" when not asked
	OwnSPF      string // of the address this server sends from, for the sender's domain: what receivers will find
	DKIM        string // none, pass (a valid signature of the From domain), unaligned (valid, of another domain) or fail
	DMARC       string // none (the From domain publishes nothing), pass or fail (RFC 7489 section 3)
	DMARCPolicy string // what the From domain asks for failures: none, quarantine or reject; "" when it has none

	Greylist string // new (seen for the first time), early (came back too soon), passed or known; "" when not asked

	Scores      []Score  // of the content scanners
	Links       []string // hosts that links in the content point to, in small letters, once each
	LinkCount   int      // links, each counted
	Attachments []string // media types of the attachments in small letters, in their order
	Extensions  []string // the last extension of each attachment's name in small letters, without the dot; "" for none
	Encrypted   int      // attached archives that need a password

	Failed  []string // names of the checks that gave no answer: deadline, dead, breaker open
	Verdict Verdict  // what the checks' own actions ask for; the zero value where they only tell facts
}

// Listing is one entry on a DNS block list.
type Listing struct {
	List   string  `json:"list"`   // zone of the list, as configured
	Of     string  `json:"of"`     // what was looked up: client, helo, sender or link
	Value  string  `json:"value"`  // the address or domain that is listed
	Code   string  `json:"code"`   // the list's answer, such as 127.0.0.2
	Name   string  `json:"name"`   // what the code means, such as spam or pbl; "" when the configuration does not say
	Weight float64 `json:"weight"` // as configured
}

// Score is what a content scanner said.
type Score struct {
	By     string  // rspamd or spamassassin
	Points float64 // by its own scale
	Enough float64 // from which on it speaks against mail; 0: it never does
	Advice string  // what it would do, in its own words
}

// part is how far the points are from being enough: 1 and more are.
func (s Score) part() float64 {
	if s.Enough <= 0 {
		return math.Inf(-1)
	}
	return s.Points / s.Enough
}

// Worst is the score that is the highest by its own scale, the first of equal ones; the zero value when none has scored.
func (o *Opinions) Worst() (worst Score) {
	for i, s := range o.Scores {
		if i == 0 || s.part() > worst.part() {
			worst = s
		}
	}
	return worst
}

// Merge takes over what another check has said. What both said is the later one's; lists are joined; of two verdicts the more
// severe one stays.
func (o *Opinions) Merge(other *Opinions) {
	o.Listings = append(o.Listings, other.Listings...)
	o.Weight += other.Weight
	for _, f := range []struct{ mine, other *string }{{&o.SPF, &other.SPF}, {&o.OwnSPF, &other.OwnSPF}, {&o.DKIM, &other.DKIM},
		{&o.DMARC, &other.DMARC}, {&o.DMARCPolicy, &other.DMARCPolicy}, {&o.Greylist, &other.Greylist}} {
		if *f.other != "" {
			*f.mine = *f.other
		}
	}
	o.Scores = append(o.Scores, other.Scores...)
	o.LinkCount += other.LinkCount
	o.Encrypted += other.Encrypted
	o.Links = append(o.Links, other.Links...)
	o.Attachments = append(o.Attachments, other.Attachments...)
	o.Extensions = append(o.Extensions, other.Extensions...)
	o.Failed = append(o.Failed, other.Failed...)
	if other.Verdict.outranks(o.Verdict) {
		o.Verdict = other.Verdict
	}
}

// outranks tells whether v is the one to keep of two: one that acts before one on trial, the more severe before the milder.
func (v Verdict) outranks(than Verdict) bool {
	if v.Stops() != than.Stops() {
		return v.Stops()
	}
	return v.Action.Severity() > than.Action.Severity()
}
