package enrich

import (
	"strings"

	"osm"
)

// classifier tells why a receiver refused a message, from the words, the reply code and the enhanced status code. What
// it reads was written by the receiver and holds parts of the message's own addresses, which their owners can choose:
// addresses, and names of hosts that are no known block list, are taken out before the words are looked at.
type classifier struct {
	replies, own *table
}

// table is rows of phrases, ready to be searched.
type table struct {
	*phrases
	rows  []refusalRow
	known memo
}

func newClassifier() *classifier {
	return &classifier{replies: newTable(replyRows), own: newTable(ownRows)}
}

func newTable(rows []refusalRow) *table {
	lists := make([][]string, len(rows))
	for i, r := range rows {
		lists[i] = r.phrases
	}
	return &table{phrases: newPhrases(lists), rows: rows, known: newMemo()}
}

// kind classifies one deferral or failure. own are domains that may occur in the text and say nothing: the recipient's,
// the sender's.
func (c *classifier) kind(text string, own [2]string) osm.Refusal {
	phase, reply := splitReply(text)
	code, enhanced, words := readCodes(reply)
	if code == 0 { // not a receiver's, but Exim's own words, or an administrator's
		if k := c.own.kind(words, own); k != osm.NotRefused {
			return k
		}
		return osm.Other
	}
	if k := c.replies.kind(words, own); k != osm.NotRefused {
		return k
	}
	if k := byEnhanced(code, enhanced); k != osm.NotRefused {
		return k
	}
	return byCode(code, phase)
}

// mentions tells whether a domain is written in a text, in whatever case.
func mentions(text, domain string) bool {
	dot := strings.IndexByte(domain, '.')
	if dot < 0 {
		return strings.Contains(strings.ToLower(text), strings.ToLower(domain))
	}
	for i := 0; ; i++ { // of texts, few bytes are dots
		n := strings.IndexByte(text[i:], '.')
		if n < 0 {
			return false
		}
		i += n
		if start, end := i-dot, i-dot+len(domain); start >= 0 && end <= len(text) && strings.EqualFold(text[start:end], domain) {
			return true
		}
	}
}

// splitReply takes apart what Exim writes around a reply: "SMTP error from remote mail server after RCPT TO:<a@b>:
// 550 no". The command may hold anything between the brackets. Other texts are all reply.
func splitReply(text string) (phase, reply string) {
	for _, start := range [...]string{"SMTP error from remote mail server after ", "LMTP error after ", "PRDR error after "} {
		rest, ok := strings.CutPrefix(text, start)
		if !ok {
			continue
		}
		for i := 0; i < len(rest); i++ {
			switch rest[i] {
			case '<':
				i += bracketed(rest[i:]) - 1
			case ':':
				if strings.HasPrefix(rest[i:], ": ") {
					return rest[:i], rest[i+2:]
				}
			}
		}
	}
	return "", text
}

// longest is the most that an address is looked through: RFC 5321 section 4.5.3.1.3 allows 256 bytes. A reply that is all brackets would
// else be read as often as it has some.
const longest = 500

// bracketed is the length of the <address> at the start of s, 1 when it has no end. A quoted local part may hold a >.
func bracketed(s string) int {
	s = s[:min(len(s), longest)]
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			i += quoted(s[i:]) - 1
		case '>':
			return i + 1
		case '\n':
			return 1
		}
	}
	return 1
}

// quoted is the length of the quoted string at the start of s, 1 when it has no end.
func quoted(s string) int {
	s = s[:min(len(s), longest)]
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 1
}

// readCodes reads "550 5.1.1 words" and "550-5.1.1 words". The code is 0 when there is none.
func readCodes(s string) (code int, enhanced, words string) {
	if len(s) < 3 || s[0] < '4' || s[0] > '5' || !digit(s[1]) || !digit(s[2]) || len(s) > 3 && s[3] != ' ' && s[3] != '-' {
		return 0, "", s
	}
	code = int(s[0]-'0')*100 + int(s[1]-'0')*10 + int(s[2]-'0')
	words = strings.TrimPrefix(s[min(4, len(s)):], "#") // Cisco writes 550 #5.1.0
	end := 0
	for end < len(words) && (digit(words[end]) || words[end] == '.') {
		end++
	}
	if e := words[:end]; len(e) >= 5 && (e[0] == '4' || e[0] == '5') && strings.Count(e, ".") == 2 {
		return code, strings.TrimSuffix(e, "."), words[end:]
	}
	return code, "", words
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// kind is that of the first row of which a phrase occurs, NotRefused when none does. Addresses and the like are left out, and
// without them receivers say the same again and again: they are searched through once.
func (t *table) kind(text string, own [2]string) osm.Refusal {
	mark := t.known.print(text, own)
	row, known := t.known.row(mark)
	if !known {
		s := search{row: none}
		for words := newWords(text, own); words.next(); {
			s.word(t.phrases, words.word)
		}
		row = s.row
		t.known.keep(mark, row)
	}
	if row == none {
		return osm.NotRefused
	}
	return t.rows[row].kind
}

// byEnhanced reads an enhanced status code (RFC 3463, and Microsoft's longer ones).
func byEnhanced(code int, enhanced string) osm.Refusal {
	_, detail, ok := strings.Cut(enhanced, ".")
	if !ok {
		return osm.NotRefused
	}
	if k, ok := byDetail[detail]; ok {
		return k
	}
	switch subject, _, _ := strings.Cut(detail, "."); {
	case subject == "4":
		return osm.Connection
	case subject == "7" && code >= 500:
		return osm.Policy
	case subject == "7":
		return osm.Greylisted
	}
	return osm.NotRefused
}

// byCode is the last resort: the bare code and the command that it answered.
func byCode(code int, phase string) osm.Refusal {
	rcpt := strings.Contains(phase, "RCPT")
	switch {
	case code == 421:
		return osm.Connection
	case code == 450 || code == 451:
		return osm.Greylisted
	case rcpt && (code == 550 || code == 551 || code == 553):
		return osm.NoSuchUser
	case code == 550 || code == 551 || code == 553 || code == 554 || code == 552:
		return osm.Policy
	}
	return osm.Other
}
