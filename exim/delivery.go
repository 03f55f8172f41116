package exim

import "strings"

// delivery reads what follows the flag of a delivery, a deferral or a failure (specification, sections "Logging
// deliveries" to "Delivery failures"):
//
//	address (parents) <original> F=<sender> Q=queue P=<return path> R=router T=transport ... H=host ... C="reply" QT= DT=
//	address ... R=router T=transport defer (errno): error H=host: text
//	address ... R=router T=transport H=host: text
//
// Exim writes the local part of the address without its quotes, so the address can hold spaces and look like fields. It
// is then followed by the <original>; so where one stands between fields, everything before it was the address.
func delivery(s string, i int, e *Entry) {
	if strings.HasPrefix(s[i:], "blackhole (") { // an ACL discarded the message
		e.Address = s[i : i+len("blackhole")]
		answer(s[i+len("blackhole "):], e)
		return
	}
	if i == len(s) {
		e.Kind = Unknown
		return
	}
	start := i
	for i = addressOfDelivery(s, start, i, e); i < len(s); {
		n := key(s, i)
		switch {
		case n > 0:
			i = fieldOfDelivery(s, i, n, e)
		case s[i] == '<' && angleEnd(s, i) > 0:
			e.Fields = Fields{}
			i = addressOfDelivery(s, start, i, e)
		case s[i] == ':':
			answer(s[spaceOver(s, i+1):], e)
			return
		case e.Kind == Deferral && strings.HasPrefix(s[i:], "defer ("):
			if i = deferral(s, i, e); i == len(s) {
				return
			}
		default:
			i = wordEnd(s, i)
		}
		i = spaceOver(s, i)
	}
}

// addressOfDelivery reads the addresses of a delivery. The first begins at s[start] and goes on at least to s[i], where a
// word begins. It returns the index of the first field.
func addressOfDelivery(s string, start, i int, e *Entry) int {
	addressEnd, tried := 0, false // where parents end the first address; whether they were looked for
	for {
		if i > start && i < len(s) && s[i] == '<' {
			if end := angleEnd(s, i); end > 0 {
				if addressEnd == 0 {
					addressEnd = i - 1
				}
				e.Address, e.Original = s[start:addressEnd], s[i+1:end]
				return spaceOver(s, end+1)
			}
		}
		if i > start && i < len(s) && s[i] == '(' && !tried {
			tried = true
			if n := strings.Index(s[i:], ") <"); n > 0 {
				addressEnd, e.Parents = i-1, s[i+1:i+n]
				i += n + 2
				continue
			}
		}
		end := wordEnd(s, i)
		switch colon := end < len(s) && s[end] == ':'; {
		case !colon && fieldFollows(s, spaceOver(s, end)):
			e.Address = s[start:end]
			return spaceOver(s, end)
		case colon && e.Kind == Failure && strings.IndexByte("|/>:", s[start]) < 0: // only failures have ": text" here
			again := quotedLater(s, start, end)
			if again == 0 {
				e.Address = s[start:end]
				return end
			}
			end = again
		case colon: // of a pipe's command, of :blackhole:
			end++
		}
		i = spaceOver(s, end)
	}
}

// quotedLater tells whether the address that begins at s[start] and holds the colon at s[colon] stands once more behind
// it with its quotes, `a: b@x <"a: b"@x>`. It returns the index of the space between them, 0 if it does not.
func quotedLater(s string, start, colon int) int {
	n := strings.Index(s[colon:], ` <"`)
	if n < 0 {
		return 0
	}
	address, i := s[start:colon+n], 0
	for j := colon + n + len(` <"`); j < len(s); j++ {
		if s[j] == '"' {
			if i == len(address) || address[i] == '@' {
				return colon + n
			}
			return 0
		}
		if s[j] == '\\' && j+1 < len(s) {
			j++
		}
		if i == len(address) || !strings.EqualFold(address[i:i+1], s[j:j+1]) {
			return 0
		}
		i++
	}
	return 0
}

// fieldFollows tells whether something that can follow an address begins at s[i:].
func fieldFollows(s string, i int) bool {
	switch key(s, i) {
	case 0:
		rest := s[i:]
		return rest == "" || rest[0] == ':' || strings.HasPrefix(rest, "defer (") || strings.HasPrefix(rest, "routing defer") ||
			strings.HasPrefix(rest, "transport defer")
	case 1:
		switch s[i] {
		case 'F', 'Q', 'P', 'R', 'T', 'S', 'H', 'D', 'C':
			return true
		}
		return false
	}
	return strings.HasPrefix(s[i:], "SRS=") || strings.HasPrefix(s[i:], "DT=")
}

// fieldOfDelivery reads the field at s[i:], whose key has n bytes, and returns the index of what follows.
func fieldOfDelivery(s string, i, n int, e *Entry) int {
	if n > 1 {
		return common(s, i, n, e)
	}
	v := i + 2
	switch s[i] {
	case 'R':
		end := wordEnd(s, v)
		e.Router = s[v:end]
		return end
	case 'T':
		end := wordEnd(s, v)
		e.Transport = s[v:end]
		return end
	case 'P':
		end := valueEnd(s, v)
		e.ReturnPath = unbracketed(s[v:end])
		return end
	case 'C':
		end := valueEnd(s, v)
		answer(unquoted(s[v:end]), e)
		return end
	}
	return common(s, i, n, e)
}

// deferral reads "defer (errno): error H=host" at s[i:] and returns the index of what follows. The error is the system's
// text for errno; where a host follows, its answer takes the error's place.
func deferral(s string, i int, e *Entry) int {
	i += len("defer (")
	minus := i < len(s) && s[i] == '-'
	if minus {
		i++
	}
	n, _ := number(s[i:])
	if e.Errno = n; minus {
		e.Errno = -n
	}
	close := strings.IndexByte(s[i:], ')')
	if close < 0 {
		return len(s)
	}
	i += close + 1
	if !strings.HasPrefix(s[i:], ": ") {
		return i
	}
	i += 2
	colon, host := strings.Index(s[i:], ": "), strings.Index(s[i:], " H=")
	if host < 0 || colon >= 0 && colon < host {
		answer(s[i:], e)
		return len(s)
	}
	answer(s[i:i+host], e)
	return i + host
}
