package config

import (
	"fmt"
	"slices"
	"strings"

	"osm"
)

// Mistake is one thing that is wrong in the configuration.
type Mistake struct {
	File    string `json:"file"`
	Line    int    `json:"line,omitempty"`   // from 1; 0 when the mistake has no place in the file
	Column  int    `json:"column,omitempty"` // in bytes, from 1
	Key     string `json:"key,omitempty"`
	Value   string `json:"value,omitempty"` // as it would be written in the file, without quotes
	Problem string `json:"problem"`
}

func (m Mistake) String() string {
	var b strings.Builder
	b.WriteString(m.File)
	if m.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", m.Line, m.Column)
	}
	if m.Key != "" {
		b.WriteString(": " + osm.Printable(m.Key))
		if m.Value != "" {
			b.WriteString(" = " + osm.Printable(m.Value))
		}
	}
	return b.String() + ": " + osm.Printable(m.Problem)
}

// Mistakes is the error of a configuration that can't be used: everything that is wrong with it, file by file.
type Mistakes []Mistake

func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i := range m {
		lines[i] = m[i].String()
	}
	return strings.Join(lines, "\n")
}

// sorted puts mistakes in the order of a reader: files as they were read, then from top to bottom.
func (m Mistakes) sorted(files []string) Mistakes {
	slices.SortStableFunc(m, func(a, b Mistake) int {
		if d := slices.Index(files, a.File) - slices.Index(files, b.File); d != 0 {
			return d
		}
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		if a.Column != b.Column {
			return a.Column - b.Column
		}
		return strings.Compare(a.Key, b.Key)
	})
	return m
}
