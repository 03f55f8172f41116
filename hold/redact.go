package hold

import (
	"strings"
	"unicode"
)

// Sample is a glance at a held message, by which a person can tell spam from wanted mail without reading it: what
// could be a code, a number or a link to an account is masked.
type Sample struct {
	ID      string   `json:"id"`
	From    string   `json:"from"`
	To      string   `json:"to"`
	Subject string   `json:"subject"`
	Lines   []string `json:"lines"` // the first that are not empty
}

const (
	mostLines   = 6
	longestLine = 200 // runes
)

// NewSample makes one of decoded headers and the beginning of a body. Addresses in From and To are no secret: the envelope shows
// them too.
func NewSample(id, from, to, subject string, body []byte) Sample {
	s := Sample{ID: id, From: redact(from, maskHeaderWord), To: redact(to, maskHeaderWord), Subject: Redact(subject)}
	for line := range strings.Lines(string(body)) {
		if len(s.Lines) == mostLines {
			break
		}
		if line = Redact(line); line != "" {
			s.Lines = append(s.Lines, line)
		}
	}
	return s
}

// linkMask stands for every link, whole: a link's path may be a password.
const linkMask = "[link]"

// Redact masks a line of text: of words that hold a digit every letter and digit becomes #, links become [link].
// White space, line ends too, becomes single spaces; what is invisible, and bytes that are not UTF-8, become a
// question mark. It is cut to 200 runes.
func Redact(line string) string { return redact(line, maskWord) }

func redact(line string, mask func(word string) string) string {
	var out strings.Builder
	runes := 0
	for word := range strings.FieldsFuncSeq(line, unicode.IsSpace) {
		if runes > 0 {
			out.WriteByte(' ')
			runes++
		}
		for _, r := range mask(word) {
			if runes == longestLine {
				return strings.TrimRight(out.String(), " ")
			}
			out.WriteRune(r)
			runes++
		}
		if runes >= longestLine {
			break
		}
	}
	return strings.TrimRight(out.String(), " ")
}

func visibleWord(word string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(word, "?"))
}

// maskHeaderWord leaves addresses as they are, but for links in their clothes.
func maskHeaderWord(word string) string {
	if masked := maskWord(word); masked == linkMask || !strings.Contains(word, "@") {
		return masked
	}
	return visibleWord(word)
}

func maskWord(word string) string {
	visible := visibleWord(word)
	lower := strings.ToLower(visible)
	switch {
	case strings.Contains(lower, "//"), strings.Contains(lower, "www."), strings.Contains(lower, "mailto:"),
		strings.Contains(lower, `:\\`):
		return linkMask
	case strings.ContainsFunc(visible, unicode.IsNumber):
		return strings.Map(func(r rune) rune {
			if unicode.IsNumber(r) || unicode.IsLetter(r) {
				return '#'
			}
			return r
		}, visible)
	}
	return visible
}
