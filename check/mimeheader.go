package check

import (
	"bytes"
	"iter"
	"net/mail"
	"strings"
)

// FromAddress is the address of a message's From header (the first one), "" when there is none to be found.
func FromAddress(text []byte) string {
	for field := range headerFields(text, "From") {
		return FirstAddress(field)
	}
	return ""
}

// FirstAddress is the first address in the value of a header field, "" when there is none to be found. What does not keep to
// RFC 5322 is read as mail programs do, or an impostor would be nobody.
func FirstAddress(field string) string {
	if address, ok := plainAddress(field); ok {
		return address
	}
	if list, err := mail.ParseAddressList(field); err == nil && len(list) > 0 {
		return list[0].Address
	}
	if at := strings.LastIndexByte(field, '<'); at >= 0 {
		field, _, _ = strings.Cut(field[at+1:], ">")
	}
	for word := range strings.FieldsSeq(field) {
		if word = strings.Trim(word, `<>,;"'()`); strings.IndexByte(word, '@') > 0 {
			return word[:min(len(word), maxAddress)]
		}
	}
	return ""
}

// plainAddress reads what most fields are, one address of letters, digits and -+_. alone or behind a name of the like, with the
// result that ParseAddressList would have at ten times the cost.
func plainAddress(field string) (address string, ok bool) {
	address = strings.Trim(field, " ")
	if name, rest, angled := strings.Cut(address, "<"); angled {
		if address, ok = strings.CutSuffix(rest, ">"); !ok || strings.ContainsFunc(name, func(r rune) bool { return r != ' ' && !plainLetter(r) }) {
			return "", false
		}
	}
	local, domain, ok := strings.Cut(address, "@")
	return address, ok && plainAtoms(local) && plainAtoms(domain)
}

// plainAtoms tells whether a text is a dot-atom of plain letters (RFC 5322 section 3.2.3).
func plainAtoms(s string) bool {
	before := '.'
	for _, r := range s {
		if r == '.' && before == '.' || r != '.' && !plainLetter(r) {
			return false
		}
		before = r
	}
	return before != '.'
}

func plainLetter(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '+' || r == '_'
}

// maxAddress is the longest address there is: 64 characters, an @ and 255 (RFC 5321 section 4.5.3.1).
const maxAddress = 320

// headerFields yields the unfolded values of a header field (RFC 5322 section 2.2), in their order, up to the empty line that
// ends the header. Lines that are none of a header are passed over.
func headerFields(text []byte, name string) iter.Seq[string] {
	return func(yield func(string) bool) {
		var value []byte
		ours := false
		for line := range bytes.Lines(text[:min(len(text), maxHeader)]) {
			line = bytes.TrimRight(line, "\r\n")
			if len(line) == 0 {
				break
			}
			if line[0] == ' ' || line[0] == '\t' {
				if ours {
					value = append(append(value, ' '), bytes.TrimSpace(line)...)
				}
				continue
			}
			if ours && !yield(string(value)) {
				return
			}
			key, rest, _ := bytes.Cut(line, []byte(":"))
			if ours = strings.EqualFold(strings.TrimRight(string(key), " \t"), name); ours {
				value = append(value[:0], bytes.TrimSpace(rest)...)
			}
		}
		if ours {
			yield(string(value))
		}
	}
}
