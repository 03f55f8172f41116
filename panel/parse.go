package panel

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

// mapFile makes a reader of a file from a parser of its text.
func mapFile(parse func(data []byte) (facts, error)) func(path string) (facts, error) {
	return func(path string) (facts, error) {
		data, err := readFile(path)
		if err != nil {
			return facts{}, err
		}
		return parse(data)
	}
}

// eachLine calls fn for every line that is neither empty nor a comment. Its error names the first line that fn did not
// like; the others are read all the same.
func eachLine(data []byte, fn func(line string) error) (first error) {
	if bytes.IndexByte(data, 0) >= 0 {
		return errors.New("holds a NUL byte: not a text file")
	}
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if err := fn(line); err != nil && first == nil {
			first = fmt.Errorf("line %d: %w", number, err)
		}
	}
	return first
}

// domain makes a name from a map one to compare with.
func domain(s string) (string, error) {
	s = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(s), "."))
	if s == "" || len(s) > 253 || strings.ContainsFunc(s, notInDomain) {
		return "", fmt.Errorf("%q is not a domain", cut(s))
	}
	return s, nil
}

func notInDomain(r rune) bool { return r <= ' ' || strings.ContainsRune(`:;,@/\'"=<>`+"\x7f", r) }

// account checks the name of an account.
func account(s string) (string, error) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > 64 || strings.ContainsFunc(s, notInAccount) {
		return "", fmt.Errorf("%q is not an account", cut(s))
	}
	return s, nil
}

func notInAccount(r rune) bool { return r <= ' ' || strings.ContainsRune(`:;,/\'"=<>`+"\x7f", r) }

// cut keeps an error's quotation short.
func cut(s string) string { return s[:min(len(s), 60)] }

// parseOwners reads "domain: account" lines: cPanel's userdomains, where the domains of nobody and * are not owned, and
// DirectAdmin's domainowners.
func parseOwners(data []byte) (f facts, err error) {
	err = eachLine(data, func(line string) error {
		name, owner, ok := strings.Cut(line, ":")
		if !ok {
			return fmt.Errorf("%q is not like domain: account", cut(line))
		}
		d, err := domain(name)
		if err != nil {
			return err
		}
		a, err := account(owner)
		if err != nil {
			return err
		}
		if d != "*" && a != "nobody" {
			f.owners = append(f.owners, pair{d, a})
		}
		return nil
	})
	return f, err
}

// parseDomains reads a file with one local domain a line.
func parseDomains(data []byte) (f facts, err error) {
	f.local, err = domains(data)
	return f, err
}

// parseRemote reads a file with one domain a line whose mail goes elsewhere.
func parseRemote(data []byte) (f facts, err error) {
	f.remote, err = domains(data)
	return f, err
}

func domains(data []byte) (list []string, err error) {
	err = eachLine(data, func(line string) error {
		d, err := domain(line)
		if err == nil {
			list = append(list, d)
		}
		return err
	})
	return list, err
}

// parseDebian reads Debian's answers about the mail system: dc_other_hostnames='example.org;example.net'.
func parseDebian(data []byte) (f facts, err error) {
	err = eachLine(data, func(line string) error {
		value, ok := strings.CutPrefix(line, "dc_other_hostnames=")
		if !ok {
			return nil
		}
		separates := func(r rune) bool { return strings.ContainsRune(";: ", r) }
		for _, name := range strings.FieldsFunc(strings.Trim(value, `'"`), separates) {
			d, err := domain(name)
			if err != nil {
				return err
			}
			f.local = append(f.local, d)
		}
		return nil
	})
	return f, err
}

// settings reads KEY=value lines and returns the values of the keys that are asked for.
func settings(data []byte, keys ...string) (values map[string]string, err error) {
	values = make(map[string]string, len(keys))
	err = eachLine(data, func(line string) error {
		name, value, ok := strings.Cut(line, "=")
		if !ok {
			return fmt.Errorf("%q is not like key=value", cut(line))
		}
		for _, k := range keys {
			if name == k {
				values[k] = value
			}
		}
		return nil
	})
	return values, err
}

// eachQuoted reads KEY='value' pairs as HestiaCP's shell scripts write them. A value can't hold a quote.
func eachQuoted(line string, fn func(key, value string)) error {
	for line != "" {
		key, rest, ok := strings.Cut(line, "='")
		value, rest, closed := strings.Cut(rest, "'")
		if !ok || !closed || strings.ContainsAny(key, " '=") {
			return fmt.Errorf("%q is not like KEY='value'", cut(line))
		}
		fn(key, value)
		line = strings.TrimLeft(rest, " \t")
	}
	return nil
}
