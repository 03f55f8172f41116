package config

import (
	"encoding"
	"reflect"
	"strconv"
	"strings"

	"osm"
)

// field is one setting of a room: a struct field with a toml tag.
type field struct {
	name  string
	doc   string
	value reflect.Value
}

type fieldList []field

// settings lists the fields of a struct that a file can set, in the order of the source. An embedded struct's are its own.
func settings(of reflect.Value) fieldList {
	var all fieldList
	for f, value := range of.Fields() {
		if name := f.Tag.Get("toml"); name != "" && name != "-" {
			all = append(all, field{name, f.Tag.Get("doc"), value})
		} else if f.Anonymous {
			all = append(all, settings(value)...)
		}
	}
	return all
}

func (l fieldList) named(name string) (field, bool) {
	for _, f := range l {
		if f.name == name {
			return f, true
		}
	}
	return field{}, false
}

func (l fieldList) names() []string {
	names := make([]string, len(l))
	for i, f := range l {
		names[i] = f.name
	}
	return names
}

// like is the name that a misspelt one was probably meant to be, or "".
func (l fieldList) like(name string) string {
	far := 1 + len(name)/3
	best, least := "", far
	for _, f := range l {
		d := osm.EditDistance(name, f.name)
		if strings.HasPrefix(f.name, name) || strings.HasPrefix(name, f.name) {
			d = min(d, far)
		}
		if d <= least && (best == "" || d < least) {
			best, least = f.name, d
		}
	}
	return best
}

// typeName says in words what a setting wants: "must be " + typeName.
func typeName(t reflect.Type) string {
	switch t {
	case reflect.TypeFor[osm.Duration]():
		return `a time span such as "90s", "24h" or "30d"`
	case reflect.TypeFor[osm.Size]():
		return `a size such as "512MB" or "10GB"`
	case reflect.TypeFor[osm.Secret]():
		return "a secret text in quotes"
	}
	switch kind := t.Kind(); {
	case reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()), kind == reflect.String:
		return "a text in quotes"
	case kind == reflect.Bool:
		return "true or false"
	case kind == reflect.Struct:
		return "a table"
	case kind == reflect.Map:
		return "a table of names, each with " + typeName(t.Elem())
	case kind == reflect.Slice && isTable(t.Elem()):
		return "a list of tables"
	case kind == reflect.Slice:
		return "a list, each element " + typeName(t.Elem())
	case kind == reflect.Float32, kind == reflect.Float64:
		return "a number"
	default:
		return "a whole number"
	}
}

// isTable tells whether a type is written as a table of its own.
func isTable(t reflect.Type) bool {
	return t.Kind() == reflect.Struct && !reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// literal is a value in TOML's spelling.
func literal(v reflect.Value) string {
	if text, ok := v.Interface().(encoding.TextMarshaler); ok {
		b, err := text.MarshalText()
		if err != nil {
			return `""`
		}
		return strconv.Quote(string(b))
	}
	switch v.Kind() {
	case reflect.String:
		return strconv.Quote(v.String())
	case reflect.Slice:
		all := make([]string, v.Len())
		for i := range all {
			all[i] = literal(v.Index(i))
		}
		return "[" + strings.Join(all, ", ") + "]"
	case reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case reflect.Float32, reflect.Float64:
		return strconv.FormatFloat(v.Float(), 'f', -1, 64)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return strconv.FormatUint(v.Uint(), 10)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return strconv.FormatInt(v.Int(), 10)
	default:
		return "" // tables have no spelling on one line
	}
}

// find follows a full name, as in detect.rule[2].limit, to its value.
func find(in reflect.Value, path string) (reflect.Value, bool) {
	for path != "" {
		var ok bool
		if index, rest, isIndex := cutIndex(path); isIndex {
			path = rest
			if ok = in.Kind() == reflect.Slice && index < in.Len(); ok {
				in = in.Index(index)
			}
		} else {
			var key string
			key, path = cutKey(path)
			in, ok = child(in, key)
		}
		if !ok {
			return in, false
		}
	}
	return in, in.IsValid()
}

func child(of reflect.Value, key string) (reflect.Value, bool) {
	switch of.Kind() {
	case reflect.Struct:
		f, ok := settings(of).named(key)
		return f.value, ok
	case reflect.Map:
		v := of.MapIndex(reflect.ValueOf(key).Convert(of.Type().Key()))
		return v, v.IsValid()
	}
	return of, false
}

func cutIndex(path string) (index int, rest string, ok bool) {
	inside, rest, ok := strings.Cut(path, "]")
	if !ok || inside[0] != '[' {
		return 0, path, false
	}
	index, err := strconv.Atoi(inside[1:])
	return index, rest, err == nil && index >= 0
}

// cutKey takes the first key off a path, without its quotes.
func cutKey(path string) (key, rest string) {
	path = strings.TrimPrefix(path, ".")
	if quoted, err := strconv.QuotedPrefix(path); err == nil {
		key, _ = strconv.Unquote(quoted) // QuotedPrefix has seen to it
		return key, path[len(quoted):]
	}
	end := strings.IndexAny(path, ".[")
	if end < 0 {
		end = len(path)
	}
	return path[:end], path[end:]
}

// spelling is the value of a setting as a mistake shows it: like in the file, without quotes.
func spelling(in reflect.Value, path string) string {
	v, ok := find(in, path)
	if !ok {
		return ""
	}
	text := literal(v)
	if plain, err := strconv.Unquote(text); err == nil {
		return plain
	}
	return text
}
