package check

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"osm"
)

// Scanner are the settings that all content scanners have.
type Scanner struct {
	Common
	Limit     osm.Size `toml:"limit" doc:"How much of a message it is shown: what comes after is left out."`
	Threshold float64  `toml:"threshold" doc:"Score from which on it speaks against mail. 0: the required score that the scanner itself tells."`
	Reject    float64  `toml:"reject" doc:"Score from which on mail is rejected, whatever the action is. 0: never."`
}

// RspamdConfig is the table [check.rspamd].
type RspamdConfig struct {
	Scanner
	URL      string     `toml:"url" doc:"Where an rspamd worker answers: http://HOST:PORT, https://HOST:PORT, or unix:/PATH for a unix socket."`
	Password osm.Secret `toml:"password" doc:"Password of the worker, where it wants one."`
}

// SpamAssassinConfig is the table [check.spamassassin].
type SpamAssassinConfig struct {
	Scanner
	Address string `toml:"address" doc:"Where spamd answers: HOST:PORT, or unix:/PATH for a unix socket."`
	User    string `toml:"user" doc:"User whose preferences spamd takes; empty: its own default."`
}

func defaultRspamd() RspamdConfig {
	return RspamdConfig{Scanner: scanner(4 << 20), URL: "http://127.0.0.1:11333"}
}

// Its rules take long for large messages: spamc by itself shows it no more than 500 KB.
func defaultSpamAssassin() SpamAssassinConfig {
	return SpamAssassinConfig{Scanner: scanner(512 << 10), Address: "127.0.0.1:783"}
}

func scanner(limit osm.Size) Scanner {
	s := Scanner{Common: common(10*time.Second, submitted()...), Limit: limit}
	s.Action = osm.Hold
	return s
}

func (s *Scanner) check(report func(key, problem string)) {
	s.Common.check(report)
	checkLimit(s.Limit, report)
	for _, v := range []struct {
		key   string
		score float64
	}{{"threshold", s.Threshold}, {"reject", s.Reject}} {
		if !(v.score >= 0 && v.score <= maxScore) { // that is how NaN fails, too
			report(v.key, fmt.Sprintf("must be between 0 and %d", maxScore))
		}
	}
	if s.Reject > 0 && s.Reject < s.Threshold {
		report("reject", "must not be lower than threshold")
	}
}

// unixPrefix begins the address of a unix socket.
const unixPrefix = "unix:"

func (c *RspamdConfig) check(report func(key, problem string)) {
	c.Scanner.check(report)
	path, isPath := strings.CutPrefix(c.URL, unixPrefix)
	u, err := url.Parse(c.URL)
	switch {
	case isPath && strings.HasPrefix(path, "/"):
	case isPath || err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "":
		report("url", "must be http://HOST:PORT, https://HOST:PORT or unix:/PATH")
	}
}

func (c *SpamAssassinConfig) check(report func(key, problem string)) {
	c.Scanner.check(report)
	path, isPath := strings.CutPrefix(c.Address, unixPrefix)
	_, port, err := net.SplitHostPort(c.Address)
	switch {
	case isPath && strings.HasPrefix(path, "/"):
	case isPath || err != nil || port == "":
		report("address", "must be HOST:PORT or unix:/PATH")
	}
}

// score is what a content scanner said.
type score struct {
	Score    float64
	Required float64  // from which on the scanner itself calls it spam
	Action   string   // in the scanner's own words; hostile
	Symbols  []string // rules that matched; hostile
}

// maxScore is beyond all scores there are: GTUBE has 1000.
const maxScore = 100_000

var errScore = errors.New("the scanner's score is none that can be")

// check refuses what only a broken or lying scanner says, and bounds the rest.
func (s *score) check() error {
	for _, n := range []float64{s.Score, s.Required} {
		if !(math.Abs(n) <= maxScore) { // that is how NaN fails, too
			return fmt.Errorf("%w: %v of %v", errScore, s.Score, s.Required)
		}
	}
	s.Action = s.Action[:min(len(s.Action), 100)]
	s.Symbols = slices.Clip(s.Symbols[:min(len(s.Symbols), maxSymbols)])
	return nil
}

const (
	maxSymbols   = 100
	shownSymbols = 8 // that a verdict names
)

// opine writes a score, and what follows from it, into o. A scanner that requires nothing, or less, does not make all mail
// spam.
func (k *one) opine(by string, s score, cfg *Scanner, o *osm.Opinions) {
	enough := cfg.Threshold
	if enough == 0 {
		enough = s.Required
	}
	o.Scores = append(o.Scores, osm.Score{By: by, Points: s.Score, Enough: max(enough, 0), Advice: s.Action})
	rejected := cfg.Reject > 0 && s.Score >= cfg.Reject
	if rejected {
		enough = cfg.Reject
	}
	if enough <= 0 || s.Score < enough {
		return
	}
	detail := fmt.Sprintf("%s gives the content %.1f points, %.1f are enough", by, s.Score, enough)
	if len(s.Symbols) > 0 {
		detail += ": " + strings.Join(s.Symbols[:min(len(s.Symbols), shownSymbols)], ", ")
	}
	if k.speak(o, "content-score", detail, osm.Key{}); rejected {
		o.Verdict.Action, o.Verdict.Rule, o.Verdict.Reason, o.Verdict.Detail = osm.Reject, k.rule(), "content-score", osm.Printable(detail)
	}
	o.Verdict.Score = s.Score
}
