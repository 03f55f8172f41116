package exim

import "strings"

// arrival reads what follows <= (specification, section "Logging message reception"):
//
//	sender R=parent H=host I=[ip]:port U=user P=protocol X=cipher ... A=auth:login ... S=size ... Q=queue id=message-id
//	T="subject" from <sender> for recipients
//
// Where helo_accept_junk_hosts lets clients say anything in HELO, one may say `x) [192.0.2.1] P=esmtpa A=plain:victim T="`
// and seem to be another. The HELO is then not at its end at the first ") [". But what follows its real end does not fit
// behind the false one: brackets stand where a field should, or a quote is left open. So where the line does not fit
// together, the HELO is taken to end at the next ") [" behind which it does.
func arrival(s string, i int, e *Entry) {
	const most = 16 // ends that are tried
	r := arrivalReader{e: e}
	if r.read(s, i) || r.heloEnd == 0 {
		return
	}
	for range most {
		n := strings.Index(s[r.heloEnd+1:], ") [")
		if n < 0 {
			return
		}
		again := Entry{Head: e.Head, filled: true}
		next := arrivalReader{e: &again, heloEnd: r.heloEnd + 1 + n}
		if next.read(s, i) {
			*e = again
			return
		}
		r.heloEnd = next.heloEnd
	}
}

// arrivalReader reads the fields of an arrival and watches whether they fit together.
type arrivalReader struct {
	e       *Entry
	heloEnd int  // where the HELO ended; if set before, where it has to
	odd     bool // something does not fit

	open *string // the last value, if it may hold spaces
	from int     // where it began
}

// read reads the fields from s[i:] on and tells whether they fit together.
func (r *arrivalReader) read(s string, i int) bool {
	end := addressEnd(s, i)
	if end == i {
		r.e.Kind = Unknown
		return true
	}
	r.e.Sender, r.e.HasSender = s[i:end], true
	if r.e.Sender == "<>" {
		r.e.Sender = ""
	}
	for i = after(s, end); i < len(s); i = after(s, end) {
		if n := key(s, i); n > 0 {
			end = r.field(s, i, n)
			r.odd = r.odd || end < len(s) && s[end] != ' '
		} else if strings.HasPrefix(s[i:], "for ") {
			r.e.Recipients = s[i+4:]
			break
		} else {
			end = r.word(s, i)
		}
	}
	return !r.odd && (r.heloEnd == 0 || wellFormed(r.e.MessageID) && wellFormed(r.e.Recipients))
}

// field reads the field at s[i:], whose key has n bytes, and returns the index of what follows.
func (r *arrivalReader) field(s string, i, n int) (end int) {
	e, v := r.e, i+n+1
	r.open = nil
	switch {
	case n == 1 && s[i] == 'H':
		return r.host(s, v)
	case n == 1 && s[i] == 'T':
		e.HasSubject = true
	case s[i] == 'i' && (n == 2 && s[i+1] == 'd' || n == 3 && s[i+1:i+3] == "d*"): // id*: Exim made it up
		end = addressEnd(s, v)
		e.MessageID = s[v:end]
		return end
	}
	if v < len(s) && s[v] == '"' {
		quote := quoteEnd(s, v+1)
		r.odd = r.odd || quote == len(s)
		if n == 1 && s[i] == 'T' {
			e.Subject = s[v+1 : quote]
		}
		return min(quote+1, len(s))
	}
	if n > 1 {
		return common(s, i, n, e)
	}
	switch s[i] {
	case 'P':
		end = wordEnd(s, v)
		e.Protocol = s[v:end]
	case 'R':
		end = wordEnd(s, v)
		e.Parent = s[v:end]
	case 'U':
		end = common(s, i, n, e)
		r.open, r.from = &e.User, v
	case 'A':
		end = common(s, i, n, e)
		if e.Login != "" {
			r.open, r.from = &e.Login, v+len(e.Auth)+1
		}
	default:
		end = common(s, i, n, e)
	}
	return end
}

// host reads the client, with a HELO that ends where it has to.
func (r *arrivalReader) host(s string, i int) int {
	if open := strings.IndexByte(s[i:max(i, r.heloEnd)], '('); open >= 0 {
		r.e.Helo = s[i+open+1 : r.heloEnd]
		r.e.Host = strings.TrimSuffix(s[i:i+open], " ")
		r.e.IP, r.e.Port, i = socket(s, r.heloEnd+2)
		return i
	}
	end := host(s, i, r.e)
	if n := strings.Index(s[i:end], ") ["); n >= 0 {
		r.heloEnd = i + n
	}
	return end
}

// word reads the word at s[i:], which is no field: one of Exim's own, "from <sender>", or the rest of the value before it,
// a user or a login with spaces.
func (r *arrivalReader) word(s string, i int) int {
	if strings.HasPrefix(s[i:], "from <") {
		if end := angleEnd(s, i+5); end >= 0 {
			return end + 1
		}
	}
	end := wordEnd(s, i)
	switch w := s[i:end]; {
	case arrivalWord(w):
	case r.open != nil && !strings.ContainsAny(w, `"[]()`):
		*r.open = s[r.from:end]
	default:
		r.odd = true
	}
	return end
}

// arrivalWord tells whether Exim writes this word between the fields of an arrival: pipelining, chunking, TCP Fast Open,
// PRDR, DNSSEC, SPF, ARC, DKIM and DMARC.
func arrivalWord(w string) bool {
	switch w {
	case "L", "L*", "L-", "L.", "L.-", "K", "TFO", "TFO*", "PRDR", "DS", "SPF", "ARC", "DKIM", "DMARC":
		return true
	}
	return false
}
