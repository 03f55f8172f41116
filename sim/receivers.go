package sim

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"time"

	"osm"
)

// mood is how receivers take a mailing.
type mood struct {
	dead  float64 // share of addresses that do not exist
	spam  float64 // share refused as spam once the receivers know it
	onset float64 // messages a receiver takes before it refuses half of that
}

var (
	ordinary = mood{dead: 0.003, spam: 0.0002}
	typed    = mood{dead: 0.012, spam: 0.0005} // addresses that visitors typed into a form
)

// dead tells whether an address does not exist: the same answer whenever it is asked.
func dead(address string, share float64) bool { return unit(hashOf(address)) < share }

// receiver is a kind of receiving server, with its own words.
type receiver uint8

const (
	google receiver = iota
	microsoft
	yahoo
	postfix
	greylister
	hosted // another Exim
	receivers
)

// receiverOf says who receives for a domain: the free mail services by name, all others by chance but for good.
func receiverOf(domain string) receiver {
	switch {
	case domain == "gmail.com":
		return google
	case strings.HasPrefix(domain, "hotmail."), strings.HasPrefix(domain, "outlook."), strings.HasPrefix(domain, "live."):
		return microsoft
	case strings.HasPrefix(domain, "yahoo."), domain == "aol.com", domain == "btinternet.com":
		return yahoo
	}
	switch u := unit(hashOf(domain) ^ 0x5bd1); {
	case u < 0.15:
		return google
	case u < 0.37:
		return microsoft
	case u < 0.72:
		return postfix
	case u < 0.82:
		return greylister
	default:
		return hosted
	}
}

// answer is what a receiver says: reply code, enhanced code and text. %s is the recipient.
type answer struct {
	refusal osm.Refusal
	code    int
	status  string
	text    string
	atData  bool // said after the end of data, not after RCPT
}

// answerTable is what every receiver may say to every kind of refusal.
type answerTable [receivers]map[osm.Refusal][]answer

//go:embed answers.txt
var answerText string

// readAnswers reads the list of answers. It is a part of the program: a line that it does not understand is a mistake.
func readAnswers(text string, family Family) (*answerTable, error) {
	table := &answerTable{}
	names := map[string]receiver{"google": google, "microsoft": microsoft, "yahoo": yahoo, "postfix": postfix,
		"hosted": hosted}
	kinds := map[string]osm.Refusal{}
	for _, r := range osm.Refusals() {
		kinds[r.String()] = r
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 5 {
			return nil, fmt.Errorf("answers.txt: %d fields, want 5: %s", len(f), line)
		}
		r, known := names[f[1]]
		refusal, ok := kinds[f[2]]
		if !known || !ok {
			return nil, fmt.Errorf("answers.txt: unknown receiver or refusal: %s", line)
		}
		if f[0] != "*" && f[0] != family.String() {
			continue
		}
		a := answer{refusal: refusal, atData: f[3] == "d", text: f[4]}
		a.code, a.status = replyOf(a.text)
		if table[r] == nil {
			table[r] = map[osm.Refusal][]answer{}
		}
		table[r][refusal] = append(table[r][refusal], a)
	}
	return table, nil
}

// replyOf reads the reply code and the enhanced status code (RFC 3463) at the beginning of an answer; 0 and "" when
// there are none.
func replyOf(text string) (code int, status string) {
	if len(text) < 4 {
		return 0, ""
	}
	code, err := strconv.Atoi(text[:3])
	if err != nil {
		return 0, ""
	}
	word, _, _ := strings.Cut(text[4:], " ")
	if parts := strings.Split(word, "."); len(parts) == 3 && len(parts[0]) == 1 {
		status = word
	}
	return code, status
}

// say picks a receiver's words for a refusal.
func (t *answerTable) say(r receiver, d dice, refusal osm.Refusal, recipient string) answer {
	if r == greylister || len(t[r][refusal]) == 0 {
		r = postfix
	}
	a := pick(d, t[r][refusal])
	if strings.Contains(a.text, "%s") {
		a.text = strings.ReplaceAll(a.text, "%s", recipient)
	}
	return a
}

// memory is what the receivers have lately seen of this server: spam that got through warms it, time cools it.
type memory struct {
	heat [receivers]float64
	at   [receivers]time.Duration
}

// warm adds one spam message and returns how many a receiver remembers, with a half-life of half a day.
func (m *memory) warm(r receiver, now time.Duration, add float64) float64 {
	if past := now - m.at[r]; past > 0 {
		m.heat[r] *= halved(float64(past) / float64(12*time.Hour))
		m.at[r] = now
	}
	m.heat[r] += add
	return m.heat[r]
}

// refusalOf is what a receiver does with one recipient at the first attempt.
func (m *memory) refusalOf(d dice, s *send, r receiver, address string, now time.Duration) osm.Refusal {
	if dead(address, s.mood.dead) {
		return osm.NoSuchUser
	}
	spam := s.mood.spam
	if s.campaign != 0 {
		seen := m.warm(r, now, 1)
		spam *= seen / (seen + s.mood.onset)
	} else {
		spam += min(0.01, m.warm(r, now, 0)/100000) // what the others on the server feel of it
	}
	u := d.Float64()
	switch {
	case u < spam*0.6:
		return osm.Spam
	case u < spam*0.75:
		return osm.Listed
	case u < spam*0.92:
		return osm.RateLimited
	case u < spam:
		return osm.Policy
	case u > 0.9985:
		return osm.Connection
	case u > 0.9975:
		return osm.MailboxFull
	case r == greylister && unit(hashOf(address)^hashOf(s.sender)) < 0.5+0.5*d.Float64():
		return osm.Greylisted
	}
	return osm.NotRefused
}
