package config

import (
	"bufio"
	"fmt"
	"io"
	"reflect"
	"strings"
)

// Setting describes one key, or one table, as its room documents it.
type Setting struct {
	Key     string `json:"key"`               // full name; of a table in a list without its index
	Type    string `json:"type"`              // in words
	Default string `json:"default,omitempty"` // in TOML's spelling; "" for a table
	Doc     string `json:"doc"`
	Header  string `json:"header,omitempty"` // of a table: [detect] or [[detect.rule]]
}

// Settings lists every setting there is, table by table: the keys of a table come before the tables inside it.
func Settings() []Setting {
	defaults := Defaults()
	return describe(nil, reflect.ValueOf(&defaults).Elem(), "")
}

func describe(all []Setting, table reflect.Value, path string) []Setting {
	if table.Kind() == reflect.Map { // the names are the administrator's
		return all
	}
	var inner fieldList
	for _, f := range settings(table) {
		if t := f.value.Type(); holdsTables(t) {
			inner = append(inner, f)
		} else {
			all = append(all, Setting{Key: join(path, f.name), Type: typeName(t), Default: literal(f.value), Doc: f.doc})
		}
	}
	for _, f := range inner {
		key, header, content := tableOf(join(path, f.name), f.value)
		all = append(all, Setting{Key: key, Type: typeName(f.value.Type()), Doc: f.doc, Header: header})
		all = describe(all, content, key)
	}
	return all
}

func holdsTables(t reflect.Type) bool {
	return isTable(t) || t.Kind() == reflect.Map || t.Kind() == reflect.Slice && isTable(t.Elem())
}

// tableOf tells how a table is named and its header written, and what is in it: for a list or map of tables an empty
// element.
func tableOf(key string, v reflect.Value) (name, header string, content reflect.Value) {
	switch kind := v.Kind(); {
	case kind == reflect.Slice:
		return key, "[[" + key + "]]", reflect.New(v.Type().Elem()).Elem()
	case kind == reflect.Map && isTable(v.Type().Elem()):
		key += ".NAME"
		v = reflect.New(v.Type().Elem()).Elem()
	}
	return key, "[" + key + "]", v
}

// WriteDefaults writes the configuration file that changes nothing: every setting with what it does and its default,
// commented out.
func WriteDefaults(w io.Writer) error { return writeDefaults(w, Settings()) }

func writeDefaults(w io.Writer, all []Setting) error {
	b := bufio.NewWriter(w)
	fmt.Fprintln(b, "# osm's configuration. Everything in here is optional: a setting that is commented out shows its default.")
	fmt.Fprintln(b, "# Check it with \"osm config check\"; files in rules.d beside this one add to it.")
	sample := "\x00" // the name of a table of which there is none by default, or of any number
	for _, s := range all {
		fmt.Fprintln(b)
		for _, line := range wrap(s.Doc, 98) {
			fmt.Fprintln(b, "# "+line)
		}
		if strings.HasPrefix(s.Header, "[[") || strings.HasSuffix(s.Header, ".NAME]") {
			sample = s.Key
		}
		switch {
		case s.Header == "":
			fmt.Fprintf(b, "#%s = %s\n", s.Key[strings.LastIndex(s.Key, ".")+1:], s.Default)
		case s.Key == sample || strings.HasPrefix(s.Key, sample+"."):
			fmt.Fprintln(b, "#"+s.Header)
		default:
			fmt.Fprintln(b, s.Header)
		}
	}
	return b.Flush()
}

// WriteReference writes the same as a page in Markdown.
func WriteReference(w io.Writer) error {
	b := bufio.NewWriter(w)
	b.WriteString(referenceHead)
	for _, s := range Settings() {
		if s.Header != "" {
			fmt.Fprintf(b, "\n## `%s`\n\n%s\n\n", s.Header, s.Doc)
		} else {
			kind, _, _ := strings.Cut(s.Type, " such as")
			fmt.Fprintf(b, "* **`%s`**, %s, default `%s`. %s\n", s.Key, kind, s.Default, s.Doc)
		}
	}
	return b.Flush()
}

const referenceHead = `# The configuration

osm reads ` + "`" + DefaultPath + "`" + ` and, after it, ` + "`rules.d/*.toml`" + ` beside it, in the order of their names. None of them need
exist: without a file every setting has its default. The files are [TOML](https://toml.io). Later files add to earlier ones: lists of
tables grow, and what is set once must not be set again.

    osm config defaults          a file with every setting, explained and commented out
    osm config check [FILE]      every mistake in the files, with its place
    osm config explain KEY       what a setting means, its default and its value

Reading is strict: a key that is not on this page is a mistake, and all mistakes are told at once.
`

// Explanation tells all about one setting of a loaded configuration.
type Explanation struct {
	Setting
	Value string `json:"value,omitempty"` // in effect, in TOML's spelling
	Where string `json:"where,omitempty"` // file:line where it is set; "" for a default
}

// Explain tells about a key, about every key of a table, or about all where key is "". It finds nothing when no room knows the
// name.
func (l *Loaded) Explain(key string) []Explanation {
	var all []Explanation
	for _, s := range Settings() {
		if key != "" && s.Key != key && !strings.HasPrefix(s.Key, key+".") {
			continue
		}
		e := Explanation{Setting: s}
		if v, ok := find(reflect.ValueOf(&l.Config).Elem(), s.Key); ok {
			e.Value = literal(v)
		}
		if p, ok := l.found[s.Key]; ok && s.Header == "" {
			e.Where = fmt.Sprintf("%s:%d", p.file, p.line)
		}
		all = append(all, e)
	}
	return all
}

// Nearest is the full name of the setting that a misspelt one was probably meant to be, or "".
func Nearest(key string) string {
	var all fieldList
	for _, s := range Settings() {
		all = append(all, field{name: s.Key})
	}
	return all.like(key)
}

// wrap breaks a text into lines of at most width bytes, at spaces.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
