package exim

import "strings"

// answer takes text for what the other side, or Exim, said about a delivery, and looks for the reply code in it.
func answer(text string, e *Entry) {
	e.Answer = trimTimes(text)
	e.Code, e.Enhanced = replyCode(e.Answer)
}

// trimTimes cuts the times that +deliver_time and +queue_time add behind a failure's text.
func trimTimes(s string) string {
	for _, key := range [...]string{" DT=", " QT="} {
		if !strings.HasSuffix(s, "s") {
			return s
		}
		if i := strings.LastIndexByte(s, ' '); i >= 0 && strings.HasPrefix(s[i:], key) {
			s = s[:i]
		}
	}
	return s
}

// replyCode finds an SMTP reply: a code of three digits at the start of text or behind ": ", and the enhanced status code
// after it (RFC 5321 section 4.2, RFC 3463).
func replyCode(text string) (code int, enhanced string) {
	for {
		if code = codeAt(text); code > 0 {
			return code, enhancedAt(text[min(4, len(text)):])
		}
		i := strings.Index(text, ": ")
		if i < 0 {
			return 0, ""
		}
		text = text[i+2:]
	}
}

// codeAt reads a reply code from 200 to 599 at the start of s.
func codeAt(s string) int {
	if len(s) < 3 || s[0] < '2' || s[0] > '5' || len(s) > 3 && s[3] != ' ' && s[3] != '-' {
		return 0
	}
	n, ok := twoDigits(s[1:])
	if !ok {
		return 0
	}
	return int(s[0]-'0')*100 + n
}

// enhancedAt reads "5.7.26" at the start of s: a class of 2, 4 or 5 and two numbers of one to three digits.
func enhancedAt(s string) string {
	if s == "" || s[0] != '2' && s[0] != '4' && s[0] != '5' {
		return ""
	}
	i := 1
	for range 2 {
		if i >= len(s) || s[i] != '.' {
			return ""
		}
		_, length := number(s[i+1:])
		if length == 0 || length > 3 {
			return ""
		}
		i += 1 + length
	}
	return s[:i]
}
