package web

import (
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"golang.org/x/text/feature/plural"
	"golang.org/x/text/language"

	"osm"
)

//go:embed texts/*.toml
var textFiles embed.FS

// speech is one language with all texts of the pages.
type speech struct {
	tag   language.Tag
	name  string // as its speakers call it
	texts map[string]text
	turns []turn
}

// text is a message with places for values, in the forms that the language has for numbers; a text without a number has
// the form plural.Other alone.
type text map[plural.Form]string

var forms = map[string]plural.Form{"zero": plural.Zero, "one": plural.One, "two": plural.Two, "few": plural.Few, "many": plural.Many,
	"other": plural.Other}

// speeches reads the message files. English comes first: it is spoken to whoever asks for none that there is.
func speeches() ([]*speech, error) {
	names, err := fs.Glob(textFiles, "texts/*.toml")
	if err != nil {
		return nil, err
	}
	var all []*speech
	for _, name := range names {
		data, err := textFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		s, err := readSpeech(strings.TrimSuffix(path.Base(name), ".toml"), data)
		if err != nil {
			return nil, fmt.Errorf("read the texts %s: %w", name, err)
		}
		all = append(all, s)
	}
	slices.SortStableFunc(all, func(a, b *speech) int {
		if (a.tag == language.English) == (b.tag == language.English) {
			return 0
		}
		if a.tag == language.English {
			return -1
		}
		return 1
	})
	return all, nil
}

func readSpeech(name string, data []byte) (*speech, error) {
	tag, err := language.Parse(name)
	if err != nil {
		return nil, err
	}
	var tree map[string]any
	if err := toml.Unmarshal(data, &tree); err != nil {
		return nil, err
	}
	s := &speech{tag: tag, texts: map[string]text{}}
	if phrases, ok := tree["phrase"].(map[string]any); ok {
		if s.turns, err = readTurns(phrases); err != nil {
			return nil, err
		}
		delete(tree, "phrase")
	}
	if err := s.take("", tree); err != nil {
		return nil, err
	}
	s.name = s.texts["language.name"][plural.Other]
	return s, nil
}

// take enters a table of a message file: its values are texts, forms of one text, or tables.
func (s *speech) take(prefix string, tree map[string]any) error {
	for key, value := range tree {
		switch value := value.(type) {
		case string:
			s.texts[prefix+key] = text{plural.Other: value}
		case map[string]any:
			if _, ok := value["other"].(string); !ok || !onlyForms(value) {
				if err := s.take(prefix+key+".", value); err != nil {
					return err
				}
				continue
			}
			t := text{}
			for name, words := range value {
				t[forms[name]] = words.(string)
			}
			s.texts[prefix+key] = t
		default:
			return fmt.Errorf("%s%s: want a text", prefix, key)
		}
	}
	return nil
}

func onlyForms(table map[string]any) bool {
	for name, value := range table {
		_, isText := value.(string)
		if _, known := forms[name]; !known || !isText {
			return false
		}
	}
	return true
}

// keys are those of all texts, sorted.
func (s *speech) keys() []string { return slices.Sorted(maps.Keys(s.texts)) }

// say gives the text of a key with the values, which follow in pairs of a name and what stands for it. The value named n chooses
// the form. What is no template.HTML is escaped, made printable and kept apart from the direction of the writing around it.
func (s *speech) say(key string, pairs ...any) (template.HTML, error) {
	t, known := s.texts[key]
	if !known {
		return "", fmt.Errorf("there is no text %q in %s", key, s.tag)
	}
	values := make(map[string]any, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return "", fmt.Errorf("text %q: %v is no name of a value", key, pairs[i])
		}
		values[name] = pairs[i+1]
	}
	var b strings.Builder
	for words := t.form(s.tag, values["n"]); ; {
		before, rest, found := strings.Cut(words, "{")
		b.WriteString(template.HTMLEscapeString(before))
		if !found {
			return template.HTML(b.String()), nil
		}
		name, after, _ := strings.Cut(rest, "}")
		value, given := values[name]
		if !given {
			return "", fmt.Errorf("text %q wants a value for {%s}", key, name)
		}
		b.WriteString(string(s.show(value)))
		words = after
	}
}

// form chooses by the language's rules for whole numbers (Unicode CLDR).
func (t text) form(tag language.Tag, n any) string {
	number, ok := whole(n)
	if !ok || len(t) == 1 {
		return t[plural.Other]
	}
	if words, ok := t[plural.Cardinal.MatchPlural(tag, int(max(number, -number)%10_000_000), 0, 0, 0, 0)]; ok {
		return words
	}
	return t[plural.Other]
}

func whole(n any) (int64, bool) {
	switch n := n.(type) {
	case int:
		return int64(n), true
	case int64:
		return n, true
	case uint64:
		return int64(n), true
	}
	return 0, false
}

// show writes a value into a text.
func (s *speech) show(value any) template.HTML {
	if n, ok := whole(value); ok {
		return template.HTML(s.number(n))
	}
	switch v := value.(type) {
	case template.HTML:
		return v
	case fmt.Stringer:
		return isolate(v.String())
	}
	return isolate(fmt.Sprint(value))
}

// breaks are where long addresses and paths may be parted.
var breaks = strings.NewReplacer("@", "@<wbr>", "/", "/<wbr>")

// isolate makes a hostile text harmless on a page: it can't bring markup, nor turn what stands beside it around.
func isolate(s string) template.HTML {
	if s == "" {
		return ""
	}
	return template.HTML("<bdi>" + breaks.Replace(template.HTMLEscapeString(osm.Printable(s))) + "</bdi>")
}

// plainText gives a text that has no values, "" where there is none of that key.
func (s *speech) plainText(key string) string { return s.texts[key][plural.Other] }

// number writes a whole number with its thousands apart.
func (s *speech) number(n int64) string {
	digits := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, digits = "−", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + s.plainText("format.thousands") + digits[i:]
	}
	return sign + digits
}

// decimal writes a number with so many digits behind the point.
func (s *speech) decimal(v float64, digits int) string {
	return strings.Replace(strconv.FormatFloat(v, 'f', digits, 64), ".", s.plainText("format.decimal"), 1)
}
