package exim

import (
	"strings"
	"time"
)

// What syslog puts before a line of Exim's: "Nov 23 08:42:18 mx exim[4429]: " or, from newer daemons,
// "2026-11-23T08:42:18.123456+00:00 mx exim[4429]: ". Behind it Exim's own time may stand or not (syslog_timestamp), and
// a long record is cut into pieces that begin with "[2/5] " or "[2\5] " (see Joiner).

const months = "JanFebMarAprMayJunJulAugSepOctNovDec"

// syslog reads the prefix at the start of line into e. It returns the time that syslog put there and the index of what
// follows, 0 if there is no such prefix or another program wrote it.
func (p *Parser) syslog(line string, e *Entry) (at stamp, next int) {
	i := 0
	if strings.HasPrefix(line, "<") { // priority, as it is sent
		i = strings.IndexByte(line, '>') + 1
	}
	at, n := p.clock.outer(line[i:])
	if n == 0 {
		return at, 0
	}
	i += n
	host := strings.IndexByte(line[i:], ' ')
	if host < 0 {
		return at, 0
	}
	i += host + 1
	colon := strings.Index(line[i:], ": ")
	if colon < 0 {
		return at, 0
	}
	tag := line[i : i+colon]
	if open := strings.IndexByte(tag, '['); open >= 0 {
		e.PID, _ = number(tag[open+1:])
		tag = tag[:open]
	}
	if !p.ours(tag) {
		e.PID = 0
		return at, 0
	}
	i += colon + 2
	i += piece(line[i:], e)
	return at, i
}

// ours tells whether a syslog tag is Exim's.
func (p *Parser) ours(tag string) bool {
	if p.Tag != "" {
		return tag == p.Tag
	}
	return strings.Contains(tag, "exim")
}

// outer reads syslog's own time, in one of its two forms.
func (c *clock) outer(s string) (at stamp, next int) {
	if len(s) < 16 {
		return at, 0
	}
	if s[0] <= '9' {
		return c.rfc3339(s)
	}
	month := strings.Index(months, s[:3])
	if month < 0 || month%3 != 0 || s[3] != ' ' || s[6] != ' ' || s[9] != ':' || s[12] != ':' || s[15] != ' ' {
		return at, 0
	}
	day := int(s[5] - '0')
	if s[4] != ' ' {
		day += int(s[4]-'0') * 10
	}
	hour, ok1 := twoDigits(s[7:])
	minute, ok2 := twoDigits(s[10:])
	second, ok3 := twoDigits(s[13:])
	if !ok1 || !ok2 || !ok3 || hour > 23 || minute > 59 || second > 60 || day < 1 || day > 31 {
		return at, 0
	}
	at.month, at.day, at.unix = time.Month(month/3+1), day, int64(hour*3600+minute*60+second)
	return at, 16
}

// rfc3339 reads "2026-11-23T08:42:18.123456+00:00 ".
func (c *clock) rfc3339(s string) (at stamp, next int) {
	if len(s) < 20 || s[10] != 'T' {
		return at, 0
	}
	seconds, ok := c.seconds(s)
	if !ok {
		return at, 0
	}
	i := 19
	at.nanos, i = fraction(s, i)
	at.millis = i > 19
	offset := int64(0)
	switch {
	case i+1 < len(s) && s[i] == 'Z':
		i++
	case i+6 < len(s) && (s[i] == '+' || s[i] == '-') && s[i+3] == ':':
		if offset, ok = zoneOffset(s[i:i+3], s[i+4:i+6]); !ok {
			return at, 0
		}
		i += 6
	default:
		return at, 0
	}
	if s[i] != ' ' {
		return at, 0
	}
	at.unix, at.zone = seconds-offset, c.fixedZone(offset)
	return at, i + 1
}

// piece reads "[2/5] " or "[2\5] " at the start of s into e and returns its length, 0 if it is not there.
func piece(s string, e *Entry) int {
	if !strings.HasPrefix(s, "[") {
		return 0
	}
	end := strings.Index(s, "] ")
	cut := strings.IndexAny(s[:end+1], `/\`)
	if cut < 0 {
		return 0
	}
	n, length := number(s[1:cut])
	m, rest := number(s[cut+1 : end])
	if n == 0 || m < n || length != cut-1 || rest != end-cut-1 {
		return 0
	}
	e.Piece, e.Pieces = n, m
	return end + 2
}

// number reads the decimal number that s begins with, and how many digits it has. What does not fit in 31 bits is 0.
func number(s string) (n, length int) {
	for length < len(s) && '0' <= s[length] && s[length] <= '9' {
		if n < 1<<31 {
			n = n*10 + int(s[length]-'0')
		}
		length++
	}
	if n >= 1<<31 {
		n = 0
	}
	return n, length
}
