package exim

import "strings"

// arrival reads what follows <= (specification, section "Logging message reception"):
//
//	sender R=parent H=host I=[ip]:port U=user P=protocol X=cipher ... A=auth:login ... S=size ... Q=queue id=message-id
//	T="subject" from <sender> for recipients
func arrival(s string, i int, e *Entry) {
	end := addressEnd(s, i)
	if end == i {
		e.Kind = Unknown
		return
	}
	e.Sender, e.HasSender = s[i:end], true
	if e.Sender == "<>" {
		e.Sender = ""
	}
	open, from := (*string)(nil), 0 // a value that may hold spaces, and its start
	for i = after(s, end); i < len(s); i = after(s, end) {
		n := key(s, i)
		if n == 0 {
			if strings.HasPrefix(s[i:], "for ") {
				e.Recipients = s[i+4:]
				return
			}
			end = wordOfArrival(s, i)
			if open != nil && !arrivalWord(s[i:end]) {
				*open = s[from:end]
			}
			continue
		}
		open = nil
		end = fieldOfArrival(s, i, n, e)
		if n == 1 && s[i] == 'U' {
			open, from = &e.User, i+2
		} else if n == 1 && s[i] == 'A' && e.Login != "" {
			open, from = &e.Login, i+3+len(e.Auth)
		}
	}
}

// fieldOfArrival reads the field at s[i:], whose key has n bytes, and returns the index of what follows.
func fieldOfArrival(s string, i, n int, e *Entry) int {
	v := i + n + 1
	switch {
	case n == 1 && s[i] == 'P':
		end := valueEnd(s, v)
		e.Protocol = s[v:end]
		return end
	case n == 1 && s[i] == 'T':
		end := valueEnd(s, v)
		e.Subject, e.HasSubject = unquoted(s[v:end]), true
		return end
	case n == 1 && s[i] == 'R':
		end := valueEnd(s, v)
		e.Parent = s[v:end]
		return end
	case s[i] == 'i' && (n == 2 && s[i+1] == 'd' || n == 3 && s[i+1:i+3] == "d*"): // id*: Exim made it up
		end := addressEnd(s, v)
		e.MessageID = s[v:end]
		return end
	}
	return common(s, i, n, e)
}

// wordOfArrival returns the end of the word at s[i:], which is no field: "from <sender>" counts as one.
func wordOfArrival(s string, i int) int {
	if strings.HasPrefix(s[i:], "from <") {
		if end := angleEnd(s, i+5); end >= 0 {
			return end + 1
		}
	}
	return wordEnd(s, i)
}

// arrivalWord tells whether Exim writes this word between the fields of an arrival: pipelining, chunking, TCP Fast Open,
// PRDR, DNSSEC, SPF, ARC and DKIM results. Any other belongs to the value before it, a user or a login with spaces.
func arrivalWord(w string) bool {
	switch w {
	case "L", "L*", "L-", "L.", "L.-", "K", "TFO", "TFO*", "PRDR", "DS", "SPF", "ARC", "DKIM", "DMARC":
		return true
	}
	return strings.HasPrefix(w, "from <")
}
