package web

import (
	"fmt"
	"html"
	"html/template"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"

	"osm"
)

// functions are what templates can call, in one language.
func (p *pages) functions(s *speech) template.FuncMap {
	return template.FuncMap{
		"t":      s.say,
		"word":   s.word,
		"phrase": func(english string) template.HTML { return isolate(s.phrase(english)) },
		"n":      func(v any) string { n, _ := whole(v); return s.number(n) },
		"float":  s.decimal,
		"plain":  plain,
		"limit":  func(v float64) string { return s.decimal(v, digitsOf(v)) },
		"size":   s.size,
		"share":  s.share,
		"span":   s.span,
		"when":   func(t time.Time) template.HTML { return s.time(t.In(p.zone), "moment") },
		"clock":  func(t time.Time) template.HTML { return s.time(t.In(p.zone), "clock") },
		"ago":    func(t time.Time) template.HTML { return s.ago(t.In(p.zone), p.now()) },
		"hold":   isolate,
		"long":   s.long,
		"url":    func(to string, pairs ...any) template.URL { return template.URL(p.link(to, pairs...)) },
		"asset": func(name string) template.URL {
			return template.URL(p.base + "/assets/" + name + "?v=" + p.assets[name].tag)
		},
		"icon":         icon,
		"base":         func() string { return p.base },
		"key":          func(kind osm.KeyKind, value string) osm.Key { return osm.Key{Kind: kind, Value: value} },
		"weight":       weight,
		"list":         func(values ...any) []any { return values },
		"dict":         dict,
		"add":          func(a, b int) int { return a + b },
		"firstDomains": func(all []DomainCount) []DomainCount { return all[:min(len(all), shownRows)] },
		"firstClients": func(all []Client) []Client { return all[:min(len(all), shownRows)] },
		"first":        func(n int, list []string) []string { return list[:min(n, len(list))] },
		"has": func(list []string, value string) bool {
			return strings.Contains("\x00"+strings.Join(list, "\x00")+"\x00", "\x00"+value+"\x00")
		},
		"cut":      func(v any, most int) string { return cutText(v, most) },
		"country":  s.country,
		"undoable": undoable,
		"notice":   func(n *notice) (template.HTML, error) { return s.say(n.Key, n.Pairs...) },
		"otp":      func(address string) template.URL { return template.URL(address) }, // ours: otpauth is no scheme of the web
	}
}

// dict makes a map for a template that is called with several values.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, fmt.Errorf("dict wants pairs, not %d values", len(pairs))
	}
	m := make(map[string]any, len(pairs)/2)
	for i := 0; i < len(pairs); i += 2 {
		m[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return m, nil
}

// word is the language's word for one of ours (a class, an action, a fact, a rule), and the word itself where it has none: an
// administrator's rules have names of their own.
func (s *speech) word(table string, value any) template.HTML {
	name := fmt.Sprint(value)
	if known := s.plainText(table + "." + name); known != "" {
		return template.HTML(template.HTMLEscapeString(known))
	}
	return isolate(name)
}

// share is a part of a whole in percent.
func (s *speech) share(part, all any) template.HTML {
	a, _ := whole(part)
	b, _ := whole(all)
	if b <= 0 {
		return "–"
	}
	v := 100 * float64(a) / float64(b)
	digits := 0
	if v > 0 && v < 10 {
		digits = 1
	}
	return template.HTML(s.decimal(v, digits) + "&nbsp;%")
}

// country is a country's name in the language (Unicode CLDR), with its code where that is not known.
func (s *speech) country(code string) template.HTML {
	region, err := language.ParseRegion(code)
	if err != nil {
		return isolate(code)
	}
	if name := display.Regions(s.tag).Name(region); name != "" {
		return isolate(name)
	}
	return isolate(code)
}

// digitsOf is how many digits a setting such as 8 or 7.5 has behind its point.
func digitsOf(v float64) int {
	_, behind, _ := strings.Cut(strconv.FormatFloat(v, 'f', -1, 64), ".")
	return len(behind)
}

// plain is a text for a place that knows no markup, such as a title.
func plain(said template.HTML) string {
	return html.UnescapeString(strings.NewReplacer("<bdi>", "", "</bdi>", "", "<wbr>", "").Replace(string(said)))
}

// size is a number of bytes.
func (s *speech) size(bytes any) string {
	n, _ := whole(bytes)
	v := float64(n)
	for _, unit := range []string{"B", "kB", "MB", "GB"} {
		if v < 1000 || unit == "GB" {
			if v < 10 && unit != "B" {
				return s.decimal(v, 1) + " " + unit
			}
			return s.decimal(v, 0) + " " + unit
		}
		v /= 1000
	}
	return ""
}

// span is a length of time in its two or less largest units.
func (s *speech) span(d any) (template.HTML, error) {
	length, ok := d.(time.Duration)
	if own, is := d.(osm.Duration); is {
		length, ok = time.Duration(own), true
	}
	if !ok {
		return "", fmt.Errorf("span of %T", d)
	}
	return s.units("span", length)
}

// units says a length in the words of a table: its cases differ (3 Tage, vor 3 Tagen).
func (s *speech) units(table string, d time.Duration) (template.HTML, error) {
	switch minutes := int64(d / time.Minute); {
	case d < time.Minute:
		return s.say(table+".seconds", "n", int64(d/time.Second))
	case minutes < 120:
		return s.say(table+".minutes", "n", minutes)
	case minutes < 48*60:
		return s.say(table+".hours", "n", (minutes+30)/60)
	default:
		return s.say(table+".days", "n", (minutes+12*60)/(24*60))
	}
}

// time writes a moment in the server's zone, named; a script on the page puts it into the viewer's.
func (s *speech) time(t time.Time, way string) template.HTML {
	if t.IsZero() {
		return "–"
	}
	whole := t.Format(s.plainText("format.moment") + " MST")
	shown := whole
	if way == "clock" {
		shown = t.Format(s.plainText("format.clock"))
	}
	return template.HTML(fmt.Sprintf(`<time datetime="%s" data-way="%s" title="%s">%s</time>`, t.Format(time.RFC3339), way,
		template.HTMLEscapeString(whole), template.HTMLEscapeString(shown)))
}

// ago writes how long ago, or how far ahead, a moment is.
func (s *speech) ago(t, now time.Time) template.HTML {
	if t.IsZero() {
		return "–"
	}
	table, d := "ago", now.Sub(t)
	if d < 0 {
		table, d = "ahead", -d
	}
	words := template.HTML(template.HTMLEscapeString(s.plainText("span.now")))
	if d >= time.Minute || table == "ahead" {
		if said, err := s.units(table, d); err == nil {
			words = said
		}
	}
	return template.HTML(fmt.Sprintf(`<time datetime="%s" data-way="ago" title="%s">%s</time>`, t.Format(time.RFC3339),
		template.HTMLEscapeString(t.Format(s.plainText("format.moment")+" MST")), words))
}

// shownRows is how much of a long list stands on a page about something else.
const shownRows = 15

const (
	shownRunes = 140
	wholeRunes = 240       // up to which a text is shown whole
	keptBytes  = 128 << 10 // what a page can bear of one value
)

// long shows a hostile text that may be of any length: its beginning, and the whole where somebody asks for it.
func (s *speech) long(value any) template.HTML {
	v := fmt.Sprint(value)
	if text, ok := value.(*string); ok {
		v = *text
	}
	if utf8.RuneCountInString(cutBytes(v, 4*wholeRunes+4)) <= wholeRunes {
		return isolate(v)
	}
	begin := cutRunes(v, shownRunes)
	return template.HTML(`<details class="long"><summary>`) + isolate(begin) + `… <small>` +
		template.HTML(template.HTMLEscapeString(s.size(len(v)))) + `</small></summary>` + isolate(cutBytes(v, keptBytes)) + `</details>`
}

// cutText shortens a text to so many characters, with a sign that there was more.
func cutText(v any, most int) string {
	text := ""
	switch v := v.(type) {
	case string:
		text = v
	case *string:
		text = *v
	default:
		text = fmt.Sprint(v)
	}
	if short := cutRunes(text, most); len(short) < len(text) {
		return short + "…"
	}
	return text
}

// cutBytes cuts a text to so many bytes, between two characters.
func cutBytes(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// cutRunes cuts a text to so many characters.
func cutRunes(s string, most int) string {
	n := 0
	for i := range s {
		if n++; n > most {
			return s[:i]
		}
	}
	return s
}

// weight draws how much a fact weighs: to 8 as the table of weights goes.
func weight(w float64) template.HTML {
	class, v := "for", w
	if v < 0 {
		class, v = "against", -v
	}
	long := min(v/8, 1) * 80
	return template.HTML(fmt.Sprintf(`<svg class="weight" viewBox="0 0 80 8" preserveAspectRatio="none" aria-hidden="true"><rect class="rest" width="80" height="8" rx="4"/>`+
		`<rect class="%s" width="%.1f" height="8" rx="4"/></svg>`, class, max(long, 2)))
}

// icons are drawn by strokes in a field of 24 by 24.
var icons = map[string]string{
	"now":       "M3 12h4l3-8 4 16 3-8h4",
	"incidents": "M12 3 2.5 20h19zM12 10v4m0 3v.01",
	"held":      "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M10 9v6m4-6v6",
	"senders":   "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8M4 21c0-4 3.5-6.5 8-6.5s8 2.500 8 6.500",
	"messages":  "M3 5h18v14H3zM3 6l9 7 9-7",
	"delivery":  "M3 12 21 4l-6 17-3.500-7.500zM21 4l-9.500 9.500",
	"rules":     "M4 6h9m4 0h3M4 12h3m4 0h9M4 18h11m4 0h1M15 4v4M9 10v4M17 16v4",
	"lists":     "M8 6h13M8 12h13M8 18h13M3.500 6h.01M3.500 12h.01M3.500 18h.01",
	"system":    "M4 4h16v7H4zM4 13h16v7H4zM7.500 7.500h.01M7.500 16.500h.01",
	"find":      "M10.500 4a6.500 6.500 0 1 0 0 13 6.500 6.500 0 0 0 0-13M15.500 15.500 21 21",
	"good":      "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M8 12.500l2.700 2.700L16 9.500",
	"bad":       "M8.300 3h7.400L21 8.300v7.400L15.700 21H8.300L3 15.700V8.300zM12 7.500v5.500m0 3.200v.01",
	"warn":      "M12 3 2.500 20h19zM12 10v4m0 3v.01",
	"info":      "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M12 11v5.500m0-9v.01",
	"menu":      "M4 7h16M4 12h16M4 17h16",
	"shut":      "M6 6l12 12M18 6 6 18",
	"undo":      "M9 7 4 12l5 5M4 12h10a6 6 0 0 1 6 6",
	"block":     "M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18M5.700 5.700l12.600 12.600",
	"release":   "M5 12h13m-5-6 6 6-6 6",
	"delete":    "M5 7h14M9 7V4h6v3M7 7l1 13h8l1-13",
	"key":       "M8 15a4 4 0 1 0 0-8 4 4 0 0 0 0 8M12 11h9v4m-4-4v3",
	"inbox":     "M4 13 7 5h10l3 8v6H4zM4 13h5l1.500 3h3L15 13h5",
}

// icon is decoration: what it means is said in words beside it.
func icon(name string) (template.HTML, error) {
	strokes, ok := icons[name]
	if !ok {
		return "", fmt.Errorf("there is no icon %q", name)
	}
	return template.HTML(`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d="` + strokes + `"/></svg>`), nil
}
