package web

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// turn is how a language puts a phrase of the detection, which comes in English: "{1} of {2} recipients do not exist".
type turn struct {
	from  *regexp.Regexp
	words string
	plain int // letters of the phrase; the longer one goes first, after those that begin with a word of their own
}

var hole = regexp.MustCompile(`\\\{\d\\\}`)

// readTurns makes the table of phrases ready: the key is the English one, the value that of the language.
func readTurns(table map[string]any) ([]turn, error) {
	var all []turn
	for english, value := range table {
		words, ok := value.(string)
		if !ok {
			return nil, fmt.Errorf("phrase %q: want a text", english)
		}
		pattern := hole.ReplaceAllString(regexp.QuoteMeta(english), `(.*?)`)
		from, err := regexp.Compile(`(?s)^` + pattern + `$`)
		if err != nil {
			return nil, fmt.Errorf("phrase %q: %w", english, err)
		}
		plain := len(pattern)
		if !strings.HasPrefix(english, "{") {
			plain += 1000
		}
		all = append(all, turn{from: from, words: words, plain: plain})
	}
	slices.SortFunc(all, func(a, b turn) int { return b.plain - a.plain })
	return all, nil
}

// longestPhrase is what is looked at: the detection says no more, strangers may.
const longestPhrase = 2000

// phrase puts what the detection says into the language; what is not known stays as it is. The values in it are hostile and
// so is the result.
func (s *speech) phrase(english string) string {
	if len(english) > longestPhrase {
		return english
	}
	if fraction.MatchString(english) {
		return strings.Replace(english, ".", s.plainText("format.decimal"), 1)
	}
	for i := range s.turns {
		if found := s.turns[i].from.FindStringSubmatch(english); found != nil {
			var b strings.Builder
			for words := s.turns[i].words; ; {
				before, rest, more := strings.Cut(words, "{")
				b.WriteString(before)
				if !more {
					return b.String()
				}
				name, after, _ := strings.Cut(rest, "}")
				if n, err := strconv.Atoi(name); err == nil && n < len(found) {
					b.WriteString(s.phrase(found[n]))
				}
				words = after
			}
		}
	}
	return english
}

// fraction is a number as the detection writes it.
var fraction = regexp.MustCompile(`^(\d+)\.(\d+)( %)?$`)
