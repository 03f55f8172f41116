package config

import (
	"encoding"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"osm"
)

// table sets the fields of a struct from a table of the file. Everything that does not fit is noted and left as it was.
func (r *reader) table(tree map[string]any, into reflect.Value, path string) {
	fields := settings(into)
	for key, value := range tree {
		full := join(path, key)
		field, known := fields.named(key)
		if !known {
			r.unknown(full, key, value, fields)
			continue
		}
		r.bind(value, field.value, full)
	}
}

func (r *reader) unknown(full, key string, value any, fields fieldList) {
	problem := "unknown setting"
	if _, isTable := value.(map[string]any); isTable {
		problem = "unknown table"
	}
	if near := fields.like(key); near != "" {
		problem += ": did you mean " + near + "?"
	} else if names := fields.names(); len(names) <= 12 {
		problem += ": there are " + strings.Join(names, ", ")
	}
	r.mistake(full, "", problem) // without the value: it may be a password under a misspelt name
}

// bind sets one field from a value of the file.
func (r *reader) bind(value any, into reflect.Value, path string) {
	if text, ok := into.Addr().Interface().(encoding.TextUnmarshaler); ok {
		r.bindText(value, text, path)
		return
	}
	fits := true
	switch into.Kind() {
	case reflect.Struct:
		tree, ok := value.(map[string]any)
		if fits = ok; ok {
			r.table(tree, into, path)
		}
	case reflect.Map:
		fits = r.bindMap(value, into, path)
	case reflect.Slice:
		fits = r.bindList(value, into, path)
	case reflect.String:
		text, ok := value.(string)
		if fits = ok; ok {
			into.SetString(text)
		}
	case reflect.Bool:
		truth, ok := value.(bool)
		if fits = ok; ok {
			into.SetBool(truth)
		}
	default:
		fits = bindNumber(value, into)
	}
	if !fits {
		r.mistake(path, shown(value, into.Type()), "must be "+typeName(into.Type()))
	}
}

func bindNumber(value any, into reflect.Value) bool {
	n, whole := value.(int64)
	switch {
	case whole && into.CanInt() && !into.OverflowInt(n):
		into.SetInt(n)
	case whole && into.CanUint() && n >= 0 && !into.OverflowUint(uint64(n)):
		into.SetUint(uint64(n))
	case whole && into.CanFloat():
		into.SetFloat(float64(n))
	case into.CanFloat():
		f, ok := value.(float64)
		if ok {
			into.SetFloat(f)
		}
		return ok
	default:
		return false
	}
	return true
}

func (r *reader) bindText(value any, into encoding.TextUnmarshaler, path string) {
	text, ok := value.(string)
	if n, whole := value.(int64); whole { // a size may be a bare number; others say what they want
		text, ok = strconv.FormatInt(n, 10), true
	}
	kind := reflect.TypeOf(into).Elem()
	if !ok {
		r.mistake(path, shown(value, kind), "must be "+typeName(kind))
	} else if err := into.UnmarshalText([]byte(text)); err != nil {
		r.mistake(path, text, err.Error())
	}
}

func (r *reader) bindList(value any, into reflect.Value, path string) bool {
	list, ok := value.([]any)
	if !ok {
		return false
	}
	if len(list) == 0 {
		into.SetZero()
		return true
	}
	all := reflect.MakeSlice(into.Type(), len(list), len(list))
	for i, v := range list {
		r.bind(v, all.Index(i), element(path, i))
	}
	into.Set(all)
	return true
}

func (r *reader) bindMap(value any, into reflect.Value, path string) bool {
	tree, ok := value.(map[string]any)
	if !ok {
		return false
	}
	if into.IsNil() && len(tree) > 0 {
		into.Set(reflect.MakeMap(into.Type()))
	}
	for key, v := range tree {
		one := reflect.New(into.Type().Elem()).Elem()
		r.bind(v, one, join(path, key))
		into.SetMapIndex(reflect.ValueOf(key).Convert(into.Type().Key()), one)
	}
	return true
}

// check asks every room about its own table. A value that could not be read is not checked again.
func (r *reader) check(rooms reflect.Value, unread Mistakes) {
	type checker interface {
		Check(report func(key, problem string))
	}
	check := func(room reflect.Value, path string) {
		c, ok := room.Addr().Interface().(checker)
		if !ok {
			return
		}
		c.Check(func(key, problem string) {
			full := path + "." + key
			if !slices.ContainsFunc(unread, func(m Mistake) bool { return m.Key == full }) {
				r.mistake(full, spelling(rooms, full), problem)
			}
		})
	}
	for _, field := range settings(rooms) {
		if field.value.Kind() != reflect.Slice {
			check(field.value, field.name)
			continue
		}
		for i := range field.value.Len() {
			check(field.value.Index(i), element(field.name, i))
		}
	}
}

// shown is a value as it would be written in the file; a secret's is not.
func shown(value any, kind reflect.Type) string {
	for kind.Kind() == reflect.Slice || kind.Kind() == reflect.Map {
		kind = kind.Elem()
	}
	if kind == reflect.TypeFor[osm.Secret]() {
		return osm.Secret("x").String()
	}
	return written(value)
}

func written(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case map[string]any, []any: // too long to say anything
		return ""
	default:
		return fmt.Sprint(v)
	}
}
