package exim

import "strings"

// phrase is how one of Exim's remarks begins: a line without a flag.
type phrase struct {
	text string
	kind Kind
	read func(s string, i int, e *Entry) // reads what follows the text; nil when nothing is of use
}

// phrases are Exim's own remarks by their first words, in groups with the same first byte.
var phrases = [...]phrase{
	{"\"", Notice, rewriting},
	{"...", Notice, nil}, // more arguments of a submission
	{"A TLS", TLS, nil},
	{"Cancelled by ", Removed, nil},
	{"Connection from ", Connection, refusedConnection},
	{"DANE ", TLS, nil},
	{"DKIM: ", Notice, nil},
	{"Daemon ", Daemon, nil},
	{"Delivery status for ", Notice, nil},
	{"End ", Daemon, queueRun},
	{"Error while reading message with no usable sender address", Rejection, rejectionInside},
	{"Exim ", Daemon, nil},
	{"F=", Notice, ofClient},
	{"Failed to ", Notice, nil},
	{"Frozen", Frozen, nil},
	{"H=", Notice, ofClient},
	{"Message is frozen", Frozen, nil},
	{"PRDR R=", Rejection, prdr},
	{"SMTP connection identification ", Connection, identification},
	{"SMTP connection outbound ", Notice, nil}, // cPanel's
	{"SMTP connection ", Connection, peerAfterFrom},
	{"SMTP protocol synchronization error", Rejection, synchronization},
	{"SMTP protocol error in \"", Connection, peerAfterQuote},
	{"SMTP syntax error in \"", Connection, peerAfterQuote},
	{"SMTP protocol violation", Connection, peerAfterQuote},
	{"SMTP ", Connection, peerAfterFrom},
	{"SSL ", TLS, nil},
	{"Sender identification ", Notice, identification},
	{"Spool ", Notice, nil},
	{"Start ", Daemon, queueRun},
	{"TLS ", TLS, peerAfterFrom},
	{"U=", Notice, ofClient},
	{"Unfrozen ", Thawed, nil},
	{"VRFY failed for ", Notice, nil},
	{"Warning: No server certificate", TLS, nil},
	{"[", TLS, certificateError},
	{"cancelled by ", Removed, nil},
	{"cwd=", Submission, submission},
	{"daemon", Daemon, nil},
	{"exim ", Daemon, nil},
	{"failed to ", Notice, nil},
	{"frozen by ", Frozen, nil},
	{"ignoring AUTH=", Notice, nil},
	{"listening ", Daemon, nil},
	{"local_scan() function ", Rejection, nil},
	{"moved from ", Notice, nil},
	{"no MAIL in ", Connection, peerAfterFrom},
	{"no host name found for IP ", Notice, nil},
	{"no immediate delivery: ", Notice, nil},
	{"no recipients found in headers", Notice, nil},
	{"original recipients ignored", Notice, nil},
	{"pid ", Daemon, nil},
	{"re-exec of exim ", Notice, nil},
	{"recipient <", Notice, nil},
	{"refused connection from ", Rejection, refusedConnection},
	{"rejected ", Rejection, rejection},
	{"removed by ", Removed, nil},
	{"retry time not reached", Notice, nil},
	{"sender address changed ", Notice, nil},
	{"socket bind() ", Daemon, nil},
	{"spool directory space check failed", Notice, nil},
	{"temporarily rejected ", Rejection, rejection},
	{"timed out while reading ", Connection, peerAfterFrom},
	{"unexpected disconnection ", Connection, peerAfterFrom},
	{"unfrozen by ", Thawed, nil},
}

// phrasesFrom tells for each first byte where its group begins in phrases.
var phrasesFrom = func() (from [256]uint8) {
	for i := len(phrases) - 1; i >= 0; i-- {
		from[phrases[i].text[0]] = uint8(i) + 1
	}
	return from
}()

// remark reads a line without a flag. What begins as none of Exim's own phrases is text that an ACL, a filter or a
// router wrote, or a phrase that tells nothing about mail: a notice.
func remark(s string, i int, e *Entry) {
	if i == len(s) {
		e.Kind, e.Remark = Notice, true
		return
	}
	for n := int(phrasesFrom[s[i]]) - 1; n >= 0 && n < len(phrases) && phrases[n].text[0] == s[i]; n++ {
		if p := &phrases[n]; strings.HasPrefix(s[i:], p.text) {
			e.Kind = p.kind
			if p.read != nil {
				e.filled = e.Kind != Submission
				p.read(s, i, e)
			}
			return
		}
	}
	e.Kind, e.Remark, e.filled = Notice, true, true
	if looksLikeFlag(s[i:]) {
		e.Kind = Unknown
		return
	}
	if n := strings.Index(s[i:], " authenticator failed "); n > 0 {
		authFailure(s, i, i+n, e)
		return
	}
	if e.ID != "" {
		remoteHost(s, i, e)
	}
}

// rewriting reads `"x@far" from env-to rewritten as "hold@here" by rule 1` (+address_rewrite). Any other line that begins
// with a quote is a remark.
func rewriting(s string, i int, e *Entry) {
	e.Remark = !strings.Contains(s[i:], " rewritten as ")
}

// looksLikeFlag tells whether s begins like one of Exim's flags that this version of the grammar does not know, or with
// something that is no text at all.
func looksLikeFlag(s string) bool {
	if len(s) > 2 && s[2] == ' ' && punctuation(s[0]) && punctuation(s[1]) {
		return true
	}
	return s[0] < ' ' && s[0] != '\t' || s[0] == 0x7f
}

func punctuation(c byte) bool { return strings.IndexByte("<>=*()-~!+|", c) >= 0 }

// queueRun takes the pid of a queue runner.
func queueRun(s string, i int, e *Entry) {
	if n := strings.Index(s[i:], "queue run: pid="); n >= 0 && !e.LoggedPID {
		e.PID, _ = number(s[i+n+len("queue run: pid="):])
	}
}
