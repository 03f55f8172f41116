package exim

import "strings"

// ofClient reads a line that begins with the fields of a client, "H=... U=... F=<sender>", and goes on with what happened:
// a rejection (specification, section "Rejected messages"), a warning, the end of a transaction. With a message id the
// host may also be one that a delivery was tried to.
func ofClient(s string, i int, e *Entry) {
	if i = clientFields(s, i, e); i == len(s) {
		return
	}
	switch rest := s[i:]; {
	case strings.HasPrefix(rest, "rejected ") || strings.HasPrefix(rest, "temporarily rejected "):
		e.Kind = Rejection
		rejection(s, i, e)
	case strings.HasPrefix(rest, "RCPT <") && strings.Contains(rest, ": discarded by "):
		e.Kind = Rejection
		rejected(s, i, e)
	case strings.HasPrefix(rest, "incomplete transaction "):
		e.Kind = Connection
		if n := strings.Index(rest, " from <"); n > 0 {
			e.Sender, e.HasSender = unbracketed(rest[n+len(" from "):]), true
		}
	case strings.HasPrefix(rest, "Warning: "), strings.HasPrefix(rest, "sender verify "):
		e.Kind = Notice
	case e.ID != "" && e.IP != "":
		remoteError(s, i, e)
	}
}

// clientFields reads the fields at s[i:] and returns the index of the first word that is none.
func clientFields(s string, i int, e *Entry) int {
	for i < len(s) {
		n := key(s, i)
		if n == 0 {
			end := wordEnd(s, i)
			if end == i || !arrivalWord(s[i:end]) {
				break
			}
			i = spaceOver(s, end)
			continue
		}
		if n == 1 && s[i] == 'P' {
			end := wordEnd(s, i)
			e.Protocol, i = s[i+2:end], end
		} else {
			i = common(s, i, n, e)
		}
		i = spaceOver(s, i)
	}
	return i
}

// rejection reads "rejected RCPT <address>: text", with or without "temporarily" before it.
func rejection(s string, i int, e *Entry) {
	if strings.HasPrefix(s[i:], "temporarily ") {
		e.Temporary = true
		i += len("temporarily ")
	}
	i += len("rejected ")
	switch rest := s[i:]; {
	case strings.HasPrefix(rest, "after DATA"), strings.HasPrefix(rest, "during MIME ACL"):
		e.Phase = "DATA"
	case strings.HasPrefix(rest, "from <"), strings.HasPrefix(rest, "from H="):
		e.Phase = "DATA"
		i += len("from ")
	case strings.HasPrefix(rest, "by non-SMTP ACL"):
		e.Phase = "not-SMTP"
	case strings.HasPrefix(rest, "by local_scan()"):
		e.Phase = "local_scan"
	case strings.HasPrefix(rest, "connection"):
		e.Phase = "connection"
	default:
		rejected(s, i, e)
		return
	}
	reason(s, i, e)
}

// rejected reads "RCPT <address>: text", "MAIL FROM:<sender> H=...: text", "EHLO from H=...: text" and the like.
func rejected(s string, i int, e *Entry) {
	end := wordEnd(s, i)
	e.Phase = s[i:end]
	i = spaceOver(s, end)
	if strings.HasPrefix(s[i:], "FROM:<") {
		i += len("FROM:")
	}
	if i < len(s) && s[i] == '<' {
		if end := angleEnd(s, i); end > 0 {
			address := s[i+1 : end]
			if e.Phase == "MAIL" {
				e.Sender, e.HasSender = address, true
			} else {
				e.Address = address
			}
			i = end + 1
		}
	}
	reason(s, i, e)
}

// reason reads what stands between the thing refused and ": text": the client, where it was not named before.
func reason(s string, i int, e *Entry) {
	i = spaceOver(s, i)
	if i < len(s) && s[i] == '<' {
		if end := angleEnd(s, i); end > 0 {
			e.Sender, e.HasSender, i = s[i+1:end], true, spaceOver(s, end+1)
		}
	}
	switch {
	case strings.HasPrefix(s[i:], "from ") && e.IP == "":
		i = peer(s, i+len("from "), e)
	case e.IP == "":
		i = clientFields(s, i, e)
	}
	if n := strings.Index(s[i:], ": "); n >= 0 {
		answer(s[i+n+2:], e)
		return
	}
	if strings.HasPrefix(s[i:], "connection from ") {
		peer(s, i+len("connection from "), e)
	}
}

// peer reads a host without H=, which may also be a local user; it returns the index of what follows.
func peer(s string, i int, e *Entry) int {
	i = spaceOver(s, i)
	if strings.HasPrefix(s[i:], "H=") || strings.HasPrefix(s[i:], "U=") || strings.HasPrefix(s[i:], "Ci=") {
		return clientFields(s, i, e)
	}
	end := host(s, i, e)
	if e.IP == "" {
		if e.Host != "local" { // "local process"
			e.User = e.Host
		}
		e.Host, e.Helo = "", ""
	}
	return clientFields(s, spaceOver(s, end), e)
}

// peerAfterFrom reads the client of "... connection from CLIENT ...".
func peerAfterFrom(s string, i int, e *Entry) {
	if n := strings.Index(s[i:], " from "); n >= 0 {
		peer(s, i+n+len(" from "), e)
	} else if n := strings.Index(s[i:], " H="); n >= 0 {
		clientFields(s, i+n+1, e)
	}
}

// peerAfterQuote reads the client of `SMTP syntax error in "COMMAND" H=CLIENT text`. The client wrote the command, so the
// last field after a quote counts.
func peerAfterQuote(s string, i int, e *Entry) {
	if n := strings.LastIndex(s[i:], `" H=`); n >= 0 {
		i = clientFields(s, i+n+2, e)
		e.Answer = s[i:]
	}
}

// synchronization reads `SMTP protocol synchronization error (why): rejected "COMMAND" H=CLIENT next input="..."`.
func synchronization(s string, i int, e *Entry) {
	e.Phase = "synchronization"
	n := strings.Index(s[i:], " H=")
	if n >= 0 {
		clientFields(s, i+n+1, e)
	}
}

// refusedConnection reads "refused connection from CLIENT (host_reject_connection)" and "Connection from CLIENT refused: why".
func refusedConnection(s string, i int, e *Entry) {
	n := strings.Index(s[i:], "onnection from ")
	end := peer(s, i+n+len("onnection from "), e)
	if strings.HasPrefix(s[end:], "refused: ") {
		e.Kind = Rejection
		answer(s[end+len("refused: "):], e)
	}
	if e.Kind == Rejection {
		e.Phase = "connection"
	}
}

// rejectionInside reads a rejection that other words stand before.
func rejectionInside(s string, i int, e *Entry) {
	if n := strings.Index(s[i:], ": rejected "); n >= 0 {
		rejection(s, i+n+2, e)
	}
}

// prdr reads "PRDR R=<address> refusal" or "temporary refusal" (one recipient's answer after DATA).
func prdr(s string, i int, e *Entry) {
	i += len("PRDR R=")
	end := valueEnd(s, i)
	e.Phase, e.Address = "PRDR", unbracketed(s[i:end])
	e.Temporary = strings.HasPrefix(s[spaceOver(s, end):], "temporary ")
	if strings.HasSuffix(s, "acceptance") {
		e.Kind = Notice
	}
}

// authFailure reads "NAME authenticator failed for H=CLIENT: 535 text (set_id=login)"; the name ends at s[end]. With
// "failed H=HOST" it is we who failed to log in at another host.
func authFailure(s string, i, end int, e *Entry) {
	name := s[i:end]
	i = end + len(" authenticator failed ")
	if strings.IndexByte(name, ' ') >= 0 {
		return
	}
	e.Remark = false
	e.Auth = name
	if !strings.HasPrefix(s[i:], "for ") {
		e.Kind = Connection
		i = clientFields(s, i, e)
		answer(s[i:], e)
		return
	}
	e.Kind = AuthFailure
	i = peer(s, i+len("for "), e)
	if i < len(s) && s[i] == ':' {
		answer(s[spaceOver(s, i+1):], e)
	}
	if n := strings.Index(e.Answer, "(set_id="); n >= 0 {
		id := e.Answer[n+len("(set_id="):]
		close := strings.Index(id, "): ")
		if close < 0 {
			close = max(0, strings.LastIndexByte(id, ')'))
		}
		e.Login = id[:close]
	}
}

// certificateError reads "[address] SSL verify error: ..."; any other line in brackets is a remark.
func certificateError(s string, i int, e *Entry) {
	ip, port, next := socket(s, i)
	if rest := s[next:]; !strings.HasPrefix(rest, " SSL ") && !strings.HasPrefix(rest, " TLS ") {
		e.Kind, e.Remark = Notice, true
		return
	}
	e.IP, e.Port = ip, port
}

// remoteHost reads "host [address] error", what befell a delivery's attempt at one host; other text is a remark.
func remoteHost(s string, i int, e *Entry) {
	name := wordEnd(s, i)
	if name+2 >= len(s) || s[name+1] != '[' || digits[s[i]] == 0 {
		return
	}
	var probe Entry
	end := host(s, i, &probe)
	if probe.IP == "" || end == len(s) {
		return
	}
	e.Host, e.IP, e.Port, e.Remark = probe.Host, probe.IP, probe.Port, false
	remoteError(s, spaceOver(s, end), e)
}

// remoteError takes the rest of the line for what a host that we delivered to answered.
func remoteError(s string, i int, e *Entry) {
	e.Kind = Connection
	if i < len(s) && s[i] == ':' {
		i = spaceOver(s, i+1)
	}
	answer(s[i:], e)
}

// identification reads what cPanel's ACLs log about local senders: "SMTP connection identification H=localhost A=127.0.0.1
// P=43512 U=bob ID=1016 S=bob B=..." and, with a message id, "Sender identification U=bob D=example.com S=bob@example.com".
// The letters are cPanel's own.
func identification(s string, i int, e *Entry) {
	i += strings.Index(s[i:], "identification ") + len("identification ")
	for i < len(s) {
		n := key(s, i)
		end := wordEnd(s, i)
		value := s[min(i+n+1, end):end]
		switch {
		case n != 1:
		case s[i] == 'U':
			e.User = value
		case s[i] == 'A':
			e.IP = value
		case s[i] == 'P':
			if port, _ := number(value); port <= 0xffff {
				e.Port = uint16(port)
			}
		case s[i] == 'S' && e.Kind == Notice:
			e.Sender, e.HasSender = value, true
		}
		i = spaceOver(s, max(end, i+1))
	}
}
