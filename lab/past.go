package lab

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"time"
)

// What a past is made of: letters as the town sends them, for a while at the same hour of each day. So a demo that has
// begun at that hour finds the rates that it shows.
const (
	pastDays  = 14
	pastWhile = 10 * time.Minute
)

// WritePast writes what Exim would have logged of the town's ordinary mail in the two weeks before now, as with
// SelectorBest: what osm can learn habits from. It is made up; no Exim has seen it. Mail from outside is left out.
func (t *Town) WritePast(w io.Writer, now time.Time) error {
	p := past{out: bufio.NewWriterSize(w, 1<<20), pid: 1000}
	for day := pastDays; day > 0; day-- {
		begin := now.AddDate(0, 0, -day)
		for at, l := range t.Letters(Attack{}) {
			if at > pastWhile {
				break
			}
			if l.Scene != Incoming && l.Scene != Forwarded {
				p.letter(l, begin.Add(at))
			}
		}
	}
	if err := p.out.Flush(); err != nil {
		return fmt.Errorf("write the log of the past: %w", err)
	}
	return nil
}

// past writes log lines; a write's error stays with out.
type past struct {
	out *bufio.Writer
	pid int
}

func (p *past) line(at time.Time, format string, args ...any) {
	fmt.Fprintf(p.out, "%s [%d] ", at.Local().Format("2006-01-02 15:04:05.000"), p.pid)
	fmt.Fprintf(p.out, format+"\n", args...)
}

// letter writes one message's arrival, deliveries and end.
func (p *past) letter(l *Letter, at time.Time) {
	p.pid++
	id := base62(at.Unix(), 6) + "-" + base62(int64(p.pid), 6) + "-00"
	way := fmt.Sprintf("H=(%s) [%s]:41724 P=esmtp", strings.Trim(l.Caller.Helo, "()"), l.Caller.address())
	switch {
	case l.Script != nil:
		user := l.Script.User
		if user == "" {
			user = "root"
		}
		way = "U=" + user + " P=local"
		p.line(at, "cwd=%s 5 args: /usr/sbin/sendmail -t -i -f %s", l.Script.Dir, l.Sender)
	case l.Caller.Login != "":
		way += "sa X=TLS1.3:ECDHE_X25519__ECDSA_SECP256R1_SHA256__AES_256_GCM:256 CV=no A=login_server:" + l.Caller.Login
	}
	p.line(at, "%s <= %s %s S=%d T=\"%s\" from <%s> for %s", id, l.Sender, way, len(l.Text), l.subject(), l.Sender,
		strings.Join(l.Recipients, " "))
	for _, r := range l.Recipients {
		const remote = "R=dnslookup T=remote_smtp H=mx.elsewhere.example [127.0.1.4]:25"
		switch {
		case strings.HasPrefix(r, "gone."):
			p.line(at, "%s ** %s F=<%s> %s: SMTP error from remote mail server after RCPT TO:<%s>: 550 5.1.1 <%s>: Recipient "+
				"address rejected: User unknown in virtual mailbox table", id, r, l.Sender, remote, r, r)
		case strings.HasSuffix(r, ".test"):
			p.line(at, "%s => %s F=<%s> R=local_user T=mail_spool", id, r, l.Sender)
		default:
			p.line(at, "%s => %s F=<%s> %s C=\"250 2.0.0 OK: queued\"", id, r, l.Sender, remote)
		}
	}
	p.line(at, "%s Completed", id)
}

// subject is what the Subject header says, encoded words and all.
func (l *Letter) subject() string {
	_, text, _ := strings.Cut(l.Text, "Subject: ")
	text, _, _ = strings.Cut(text, "\n")
	return text
}

// address is where Exim sees the caller.
func (c *Caller) address() string {
	if !c.From.IsValid() {
		return "127.0.0.1"
	}
	return c.From.String()
}

// base62 is a number as Exim writes it in ids (specification 3.4).
func base62(n int64, width int) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	b := make([]byte, width)
	for i := width - 1; i >= 0; i-- {
		b[i] = digits[n%62]
		n /= 62
	}
	return string(b)
}
