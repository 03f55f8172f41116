package sim

import (
	"bufio"
	"container/heap"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"osm"
)

// selector is what a style's log_selector switches on, as in the samples of real logs.
type selector struct {
	pid, millis bool
	arguments   bool // cwd= lines
	subject     bool
	recipients  bool // for ...
	from        bool // from <...>
	inPort      bool
	inInterface bool
	outPort     bool
	senderOnDelivery,
	deliverySize, connections, queueRuns, sni bool
	spool, exim, transport string
}

var selectors = [...]selector{
	Recommended: {pid: true, millis: true, arguments: true, subject: true, recipients: true, from: true, inPort: true,
		inInterface: true, outPort: true, senderOnDelivery: true, connections: true, queueRuns: true, spool: "/var/spool/exim4",
		exim: "/usr/sbin/exim4", transport: "remote_smtp"},
	CPanel: {arguments: true, subject: true, recipients: true, inPort: true, connections: true, queueRuns: true,
		spool: "/var/spool/exim", exim: "/usr/sbin/exim", transport: "dkim_remote_smtp"},
	DirectAdmin: {arguments: true, subject: true, recipients: true, from: true, senderOnDelivery: true, deliverySize: true,
		spool: "/var/spool/exim", exim: "/usr/sbin/exim", transport: "remote_smtp"},
	Debian: {queueRuns: true, spool: "/var/spool/exim4", exim: "/usr/sbin/exim4", transport: "remote_smtp"},
	Hestia: {queueRuns: true, sni: true, spool: "/var/spool/exim4", exim: "/usr/sbin/exim4", transport: "remote_smtp"},
}

// renderer turns events into lines. Exim's processes write side by side: a submission's cwd= line comes some time
// before its arrival, with whatever else happens in between, so lines wait in a heap until nothing earlier can come.
type renderer struct {
	out   *bufio.Writer
	on    selector
	lines lineQueue
	seq   int
	next  time.Time // queue run
	buf   []byte
	first map[*osm.Message]bool // messages that have had a => line
}

type line struct {
	at   time.Time
	seq  int
	pid  uint64
	text string
}

type lineQueue []line

func (q lineQueue) Len() int { return len(q) }
func (q lineQueue) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || (q[i].at.Equal(q[j].at) && q[i].seq < q[j].seq)
}
func (q lineQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *lineQueue) Push(x any)   { *q = append(*q, x.(line)) }
func (q *lineQueue) Pop() any {
	last := len(*q) - 1
	l := (*q)[last]
	*q = (*q)[:last]
	return l
}

// lookBack is how long before its message a cwd= line may be written.
const lookBack = 60 * time.Millisecond

// WriteLog writes the world as Exim's main log in the world's style, every message accepted, and, when truth is not
// nil, a tab-separated line for every message: id, spam, wanted or apart, kind, number of the campaign, number of
// recipients.
func (w *World) WriteLog(log, truth io.Writer) error {
	r := &renderer{out: bufio.NewWriterSize(log, 1<<20), on: selectors[w.Config.Style], next: w.Config.Start,
		first: map[*osm.Message]bool{}}
	var t *bufio.Writer
	if truth != nil {
		t = bufio.NewWriter(truth)
	}
	full := *w // the log's own style decides what is written, not what messages are masked to
	full.Config.Style = Recommended
	full.Run(func(ev *Event) osm.Action {
		r.event(ev)
		if ev.Kind == Arrival && t != nil {
			is := "wanted"
			if ev.Label.ID != 0 {
				is = "spam"
			} else if ev.Label.Apart {
				is = "apart"
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\n", ev.Message.ID, is, ev.Label.Kind, ev.Label.ID, ev.Recipients)
		}
		return osm.Accept
	})
	r.flush(time.Time{})
	if t != nil {
		if err := t.Flush(); err != nil {
			return fmt.Errorf("write the truth about a world: %w", err)
		}
	}
	if err := r.out.Flush(); err != nil {
		return fmt.Errorf("write a world's log: %w", err)
	}
	return nil
}

// event writes what Exim writes about one event.
func (r *renderer) event(ev *Event) {
	for r.on.queueRuns && !r.next.After(ev.Time) {
		pid := uint64(r.next.Unix()) % 4_000_000
		r.add(r.next, pid, fmt.Sprintf("Start queue run: pid=%d", pid))
		r.add(r.next.Add(200*time.Millisecond), pid, fmt.Sprintf("End queue run: pid=%d", pid))
		r.next = r.next.Add(30 * time.Minute)
	}
	r.flush(ev.Time.Add(-lookBack))
	m := ev.Message
	switch ev.Kind {
	case Arrival:
		r.arrival(m)
	case Delivery:
		r.delivery(m, ev.Delivery, ev.AtData)
	case Completed:
		delete(r.first, m)
		r.add(ev.Time, pidOf(m.ID)+1, m.ID+" Completed")
	case AuthFailure:
		port := ""
		if r.on.inPort {
			port = ":41724"
		}
		r.add(ev.Time, 1001, fmt.Sprintf("dovecot_login authenticator failed for (%s) [%s]%s: 535 Incorrect authentication data "+
			"(set_id=%s)", ev.Failure.Helo, ev.Failure.Client, port, ev.Failure.Login))
	}
}

func (r *renderer) add(at time.Time, pid uint64, text string) {
	r.seq++
	heap.Push(&r.lines, line{at, r.seq, pid, text})
}

// flush writes all lines up to a time; the zero time means all.
func (r *renderer) flush(until time.Time) {
	for len(r.lines) > 0 && (until.IsZero() || !r.lines[0].at.After(until)) {
		l := heap.Pop(&r.lines).(line)
		layout := "2006-01-02 15:04:05 "
		if r.on.millis {
			layout = "2006-01-02 15:04:05.000 "
		}
		b := l.at.AppendFormat(r.buf[:0], layout)
		if r.on.pid {
			b = append(b, '[')
			b = strconv.AppendUint(b, l.pid, 10)
			b = append(b, "] "...)
		}
		b = append(b, l.text...)
		r.buf = append(b, '\n')
		r.out.Write(r.buf)
	}
}

func (r *renderer) arrival(m *osm.Message) {
	pid := pidOf(m.ID)
	if m.Script.Path != "" && r.on.arguments {
		before := time.Duration(2+pid%50) * time.Millisecond
		r.add(m.Time.Add(-before), pid, fmt.Sprintf("cwd=%s %d args: %s", m.Script.Path, argsOf(m), argumentsOf(m)))
	}
	b := append(r.buf[:0], m.ID...)
	b = append(b, " <= "...)
	if m.Sender == "" {
		b = append(b, "<>"...)
	}
	b = append(b, m.Sender...)
	if m.Parent != "" {
		b = append(b, " R="+m.Parent...)
	}
	if m.Client.IsValid() {
		if r.on.connections {
			r.connection(m, pid)
		}
		b = append(b, " H="+hostOf(m)...)
		if r.on.inPort {
			b = fmt.Appendf(b, ":%d", m.ClientPort)
		}
		if r.on.inInterface {
			b = fmt.Appendf(b, " I=[192.0.2.25]:%d", m.ServerPort)
		}
	}
	if m.User != "" {
		b = append(b, " U="+m.User...)
	}
	b = append(b, " P="+m.Protocol...)
	if m.TLS != "" {
		b = append(b, " X="+m.TLS+" CV=no"...)
		if r.on.sni {
			b = append(b, " SNI="+serverName...)
		}
	}
	if m.Login != "" {
		b = append(b, " A="+m.Auth+":"+m.Login...)
	}
	b = fmt.Appendf(b, " S=%d", m.Size)
	if m.MessageID != "" {
		b = append(b, " id="+m.MessageID...)
	}
	if r.on.subject {
		b = append(appendEscaped(append(b, ` T="`...), m.Subject), '"')
	}
	if r.on.from {
		b = append(b, " from <"+m.Sender+">"...)
	}
	if r.on.recipients {
		b = append(b, " for "+strings.Join(m.Recipients, " ")...)
	}
	r.buf = b
	r.add(m.Time, pid, string(b))
	if r.on.arguments {
		r.add(m.Time.Add(8*time.Millisecond), pid+1, fmt.Sprintf("cwd=%s 3 args: %s -Mc %s", r.on.spool, r.on.exim, m.ID))
	}
}

// connection writes the lines around a connection; every message has its own.
func (r *renderer) connection(m *osm.Message, pid uint64) {
	local := ""
	if r.on.inInterface {
		local = fmt.Sprintf(" I=[192.0.2.25]:%d", m.ServerPort)
	}
	r.add(m.Time.Add(-lookBack), 1001, fmt.Sprintf("SMTP connection from [%s]:%d%s (TCP/IP connection count = %d)",
		m.Client, m.ClientPort, local, 1+pid%9))
	r.add(m.Time.Add(90*time.Millisecond), pid, fmt.Sprintf("SMTP connection from %s:%d%s closed by QUIT",
		hostOf(m), m.ClientPort, local))
}

func hostOf(m *osm.Message) string {
	switch {
	case m.ClientHost == "":
		return fmt.Sprintf("(%s) [%s]", m.Helo, m.Client)
	case m.ClientHost == m.Helo:
		return fmt.Sprintf("%s [%s]", m.ClientHost, m.Client)
	default:
		return fmt.Sprintf("%s (%s) [%s]", m.ClientHost, m.Helo, m.Client)
	}
}

func argumentsOf(m *osm.Message) string {
	if m.Script.Path == "/home/"+m.User {
		return "/usr/sbin/sendmail -FCronDaemon -i -B8BITMIME -oem " + m.User
	}
	return "/usr/sbin/sendmail -t -i -f" + m.Sender
}

func argsOf(m *osm.Message) int { return 1 + strings.Count(argumentsOf(m), " ") }

func (r *renderer) delivery(m *osm.Message, d *osm.Delivery, atData bool) {
	b := append(r.buf[:0], m.ID...)
	switch d.Outcome {
	case osm.Delivered:
		if r.first[m] {
			b = append(b, " -> "...)
		} else {
			b = append(b, " => "...)
		}
		r.first[m] = true
	case osm.Deferred:
		b = append(b, " == "...)
	default:
		b = append(b, " ** "...)
	}
	switch {
	case !d.Remote:
		b = append(b, d.Recipient[:strings.LastIndexByte(d.Recipient, '@')]+" <"+d.Recipient+">"...)
	case d.Recipient != d.Original:
		b = append(b, d.Recipient+" <"+d.Original+">"...)
	default:
		b = append(b, d.Recipient...)
	}
	if r.on.senderOnDelivery && d.Outcome != osm.Deferred {
		b = append(b, " F=<"+m.Sender+">"...)
	}
	if d.Remote {
		b = append(b, " R="+d.Router+" T="+r.on.transport...)
	} else {
		b = append(b, " R="+d.Router+" T="+d.Transport...)
	}
	if r.on.deliverySize && d.Outcome == osm.Delivered {
		b = fmt.Appendf(b, " S=%d", m.Size+300)
	}
	if d.Remote {
		b = r.answer(b, d, atData)
	}
	r.buf = b
	r.add(d.Time, pidOf(m.ID)+1, string(b))
}

// answer writes the remote host and what it said.
func (r *renderer) answer(b []byte, d *osm.Delivery, atData bool) []byte {
	host := fmt.Sprintf(" H=%s [%s]", d.Host, d.IP)
	if r.on.outPort {
		host += fmt.Sprintf(":%d", d.Port)
	}
	stage := fmt.Sprintf("after RCPT TO:<%s>", d.Recipient)
	number := -44
	if atData {
		stage, number = "after end of data", -46
	}
	switch {
	case d.Outcome == osm.Delivered:
		return append(b, host+` X=TLS1.3:TLS_AES_256_GCM_SHA384:256 CV=yes C="`+d.Text+`"`...)
	case d.Code == 0:
		return append(b, " defer (110): "+d.Text...)
	case d.Outcome == osm.Deferred:
		b = fmt.Appendf(b, " defer (%d)", number)
	}
	return append(b, host+": SMTP error from remote mail server "+stage+": "+d.Text...)
}

// appendEscaped writes a subject as Exim's string_printing does: quotes and backslashes are escaped, newlines and tabs
// have letters, other bytes that are no printing ASCII are octal.
func appendEscaped(b []byte, s string) []byte {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, `\n`...)
		case c == '\t':
			b = append(b, `\t`...)
		case c < ' ' || c > '~':
			b = fmt.Appendf(b, `\%03o`, c)
		default:
			b = append(b, c)
		}
	}
	return b
}

// pidOf is the process that an id names.
func pidOf(id string) uint64 {
	var pid uint64
	for _, c := range []byte(id[7:strings.LastIndexByte(id, '-')]) {
		pid = pid*62 + uint64(strings.IndexByte(base62, c))
	}
	return pid
}
