package check

import (
	"bytes"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/idna"
)

// plainLink finds where a link begins in a text: after it comes the host.
var plainLink = regexp.MustCompile(`(?i)\b(?:https?|ftp):[/\\]{2}|\bwww\.`)

// plain notes the links of a plain text, those that mail programs make links of.
func (w *walker) plain(text []byte) {
	for w.linkCount < maxLinks && !isOver(w.over) {
		at := plainLink.FindIndex(text)
		if at == nil {
			break
		}
		from := at[1]
		if text[from-1] == '.' { // www.
			from = at[0]
		}
		end := from + bytes.IndexFunc(text[from:min(len(text), from+maxAuthority)], endsPlain)
		if end < from {
			end = min(len(text), from+maxAuthority)
		}
		if host := linkHost(string(text[from:end])); host != "" {
			w.host(host)
		}
		text = text[max(end, at[1]):]
	}
}

// maxAuthority is how much of a link is read to find the host: 253 characters, and a name and password before it.
const maxAuthority = 1000

func endsPlain(c rune) bool {
	return c <= ' ' || strings.ContainsRune("<>\"'`()[]{}|,;", c) && c != '[' && c != ']'
}

// linking are the attributes that make a mail program fetch something or go somewhere.
var linking = map[string]bool{"href": true, "src": true, "action": true, "background": true, "formaction": true, "poster": true, "data": true}

// html notes the links of an HTML text: of its attributes, and those in its words that are not within one already.
func (w *walker) html(text []byte) {
	z := html.NewTokenizer(bytes.NewReader(text))
	anchors := 0
	for w.linkCount < maxLinks && !isOver(w.over) {
		switch z.Next() {
		case html.ErrorToken:
			return
		case html.TextToken:
			if anchors == 0 {
				w.plain(z.Text())
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			name, more := z.TagName()
			if string(name) == "a" {
				anchors = 1 // they can't be nested
			}
			for more && !isOver(w.over) {
				var key, value []byte
				if key, value, more = z.TagAttr(); linking[string(key)] {
					w.attribute(string(value))
				}
			}
		case html.EndTagToken:
			if name, _ := z.TagName(); string(name) == "a" {
				anchors = 0
			}
		}
	}
}

// attribute notes a link in the way of browsers (WHATWG URL): white space within is dropped, a backslash is a slash.
func (w *walker) attribute(link string) {
	link = strings.Map(func(c rune) rune {
		switch {
		case c < ' ':
			return -1
		case c == '\\':
			return '/'
		}
		return c
	}, strings.TrimSpace(link[:min(len(link), maxAuthority)]))
	scheme, rest, ok := strings.Cut(link, ":")
	switch strings.ToLower(scheme) {
	case "http", "https", "ftp":
	default:
		rest, ok = link, strings.HasPrefix(link, "//")
	}
	if rest = strings.TrimLeft(rest, "/"); ok {
		if host := linkHost(rest); host != "" {
			w.host(host)
		}
	}
}

// linkHost is the host at the start of what follows a link's scheme: without user, password and port, in ASCII. It is "" for
// what can be none.
func linkHost(s string) string {
	if end := strings.IndexAny(s, `/\?#`); end >= 0 {
		s = s[:end]
	}
	s = s[strings.LastIndexByte(s, '@')+1:]
	if literal, rest, ok := strings.Cut(s, "]"); ok && strings.HasPrefix(literal, "[") && (rest == "" || rest[0] == ':') {
		s = literal[1:]
	} else {
		s, _, _ = strings.Cut(s, ":")
	}
	if plain, err := url.PathUnescape(s); err == nil {
		s = plain
	}
	s = strings.ToLower(strings.TrimRight(s, "."))
	if a, err := netip.ParseAddr(s); err == nil {
		return a.WithZone("").String()
	}
	for label := range strings.SplitSeq(s, ".") {
		if utf8.RuneCountInString(label) > longestLabel {
			return "" // to write it in ASCII, which makes it longer, takes time with the square of its length
		}
	}
	if ascii, err := idna.Lookup.ToASCII(s); err == nil {
		s = ascii
	}
	if !isHost(s) {
		return ""
	}
	return s
}

// longestLabel is one of a domain's (RFC 1035 section 2.3.4).
const longestLabel = 63

// isHost tells whether a name can be looked up: at least two labels (RFC 1035 section 2.3.4). Underscores do occur.
func isHost(s string) bool {
	labels := strings.Split(s, ".")
	if len(s) > 253 || len(labels) < 2 {
		return false
	}
	for _, label := range labels {
		if label == "" || len(label) > longestLabel || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
			return false
		}
	}
	return true
}
