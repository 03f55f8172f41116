package config

import (
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// place is where something stands in a file. The zero value is nowhere.
type place struct {
	file         string
	line, column int
}

// walker finds where every key and table of a file stands, by its full name in dots; elements of arrays are counted
// on from those of the files before: "detect.rule[2].limit". The text has been parsed without error before.
type walker struct {
	parser unstable.Parser
	file   string
	found  map[string]place
	arrays map[string]int // elements seen of each array
}

func (w *walker) walk(text []byte) {
	w.parser.Reset(text)
	table := ""
	for w.parser.NextExpression() {
		switch node := w.parser.Expression(); node.Kind {
		case unstable.Table:
			table = w.header(node, false)
		case unstable.ArrayTable:
			table = w.header(node, true)
		case unstable.KeyValue:
			w.keyValue(table, node)
		}
	}
}

// header notes a [table] or [[array of tables]] and returns its full name, with the index of each array on the way.
func (w *walker) header(node *unstable.Node, array bool) string {
	path := ""
	for key := node.Key(); key.Next(); {
		path = join(path, string(key.Node().Data))
		w.note(path, key.Node())
		switch count := w.arrays[path]; {
		case array && key.IsLast():
			w.arrays[path] = count + 1
			path = element(path, count)
		case count > 0:
			path = element(path, count-1)
		}
		w.note(path, key.Node())
	}
	return path
}

func (w *walker) keyValue(path string, node *unstable.Node) {
	for key := node.Key(); key.Next(); {
		path = join(path, string(key.Node().Data))
		w.note(path, key.Node())
	}
	w.inside(path, node.Value())
}

// inside notes the keys of inline tables, in arrays too.
func (w *walker) inside(path string, value *unstable.Node) {
	switch value.Kind {
	case unstable.InlineTable:
		for it := value.Children(); it.Next(); {
			w.keyValue(path, it.Node())
		}
	case unstable.Array:
		for it := value.Children(); it.Next(); w.arrays[path]++ {
			w.inside(element(path, w.arrays[path]), it.Node())
		}
	}
}

// note keeps the first place of a path: a table may be named again to reach one below it.
func (w *walker) note(path string, node *unstable.Node) {
	if _, known := w.found[path]; !known {
		start := w.parser.Shape(node.Raw).Start
		w.found[path] = place{w.file, start.Line, start.Column}
	}
}

// nearest is the place of a path or, when it is not in the file, of what it belongs to.
func nearest(found map[string]place, path string) place {
	for path != "" {
		if p, ok := found[path]; ok {
			return p
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return place{}
}

// join appends one key to a path, quoted as in a file where it has to be.
func join(path, key string) string {
	if !bare(key) {
		key = strconv.Quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func element(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// bare tells whether TOML allows a key without quotes.
func bare(key string) bool {
	for _, c := range []byte(key) {
		if c != '-' && c != '_' && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return key != ""
}
