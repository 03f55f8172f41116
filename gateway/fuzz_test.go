package gateway

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"osm"
	"osm/policy"
)

// pipe is a client whose whole dialogue is written beforehand; the server's answers are kept.
type pipe struct {
	in    []byte
	chunk int // how many bytes come at once
	out   bytes.Buffer
}

func (p *pipe) Read(b []byte) (int, error) {
	if len(p.in) == 0 {
		return 0, io.EOF
	}
	n := copy(b[:min(len(b), p.chunk)], p.in)
	p.in = p.in[n:]
	return n, nil
}

func (p *pipe) Write(b []byte) (int, error)      { return p.out.Write(b) }
func (p *pipe) Close() error                     { return nil }
func (p *pipe) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 25} }
func (p *pipe) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 7), Port: 1234} }
func (p *pipe) SetDeadline(time.Time) error      { return nil }
func (p *pipe) SetReadDeadline(time.Time) error  { return nil }
func (p *pipe) SetWriteDeadline(time.Time) error { return nil }

// witness is an upstream that reads as carelessly as servers have been found to do: a bare LF ends a line, also in
// content. What it takes for a sender must have been one to the gateway.
type witness struct {
	t        *testing.T
	in       []byte
	out      bytes.Buffer
	content  bool
	chunk    []byte // of BDAT, as far as it has come
	missing  int    // bytes of it
	messages int
	senders  []string
}

func (w *witness) Write(b []byte) (int, error) {
	w.in = append(w.in, b...)
	for {
		if w.missing > 0 && !w.take() {
			return len(b), nil
		}
		i := bytes.IndexByte(w.in, '\n')
		if i < 0 {
			return len(b), nil
		}
		line := strings.TrimRight(string(w.in[:i]), "\r\n")
		if i == 0 || w.in[i-1] != '\r' || bytes.ContainsAny(w.in[:i-1], "\r\x00") {
			w.t.Errorf("the upstream gets the line %q", w.in[:i+1])
		}
		w.in = w.in[i+1:]
		w.line(line)
	}
}

// take reads what has come of a chunk (RFC 3030); false: not all of it.
func (w *witness) take() bool {
	n := min(w.missing, len(w.in))
	w.chunk, w.in = append(w.chunk, w.in[:n]...), w.in[n:]
	if w.missing -= n; w.missing > 0 {
		return false
	}
	lines := bytes.ReplaceAll(w.chunk, []byte("\r\n"), nil)
	if !bytes.HasSuffix(w.chunk, []byte("\r\n")) || bytes.ContainsAny(lines, "\r\n\x00") {
		w.t.Errorf("the upstream gets the chunk %q", w.chunk)
	}
	w.chunk = nil
	w.out.WriteString("250 2.0.0 a chunk\r\n")
	return true
}

func (w *witness) line(line string) {
	verb, _, _ := strings.Cut(strings.ToUpper(line), " ")
	switch {
	case w.content:
		if line == "." {
			w.content = false
			w.messages++
			fmt.Fprintf(&w.out, "250 2.0.0 OK id=%d\r\n", w.messages)
		}
	case verb == "DATA":
		w.content = true
		w.out.WriteString("354 go\r\n")
	case line == "BDAT 0 LAST":
		w.messages++
		fmt.Fprintf(&w.out, "250 2.0.0 OK id=%d\r\n", w.messages)
	case verb == "BDAT":
		if n, err := fmt.Sscanf(line, "BDAT %d", &w.missing); n != 1 || err != nil || w.missing <= 0 || strings.Contains(line, "LAST") {
			w.t.Errorf("the upstream gets the command %q", line)
		}
	case verb == "MAIL":
		w.senders = append(w.senders, line)
		w.out.WriteString("250 2.1.0 fine\r\n")
	case verb == "RCPT" && strings.Contains(line, "no@"):
		w.out.WriteString("550-5.1.1 no\r\n550 5.1.1 body\r\n")
	case verb == "RCPT" || verb == "RSET" || verb == "QUIT":
		w.out.WriteString("250 2.1.5 fine\r\n")
	default:
		w.t.Errorf("the upstream gets the command %q", line)
	}
}

func (w *witness) Read(b []byte) (int, error) {
	if w.out.Len() == 0 {
		return 0, errors.New("the upstream is asked for an answer that it does not owe")
	}
	return w.out.Read(b)
}
func (w *witness) Close() error                     { return nil }
func (w *witness) LocalAddr() net.Addr              { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }
func (w *witness) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 2} }
func (w *witness) SetDeadline(time.Time) error      { return nil }
func (w *witness) SetReadDeadline(time.Time) error  { return nil }
func (w *witness) SetWriteDeadline(time.Time) error { return nil }

// FuzzDialogue takes any bytes as what a client says, in pieces of any size, without a socket. Whatever they are, the
// upstream gets only well-formed commands of a dialogue in the right order and content without bare line ends, and every
// message that was asked about is told of.
func FuzzDialogue(f *testing.F) {
	for _, seed := range []string{
		"EHLO a\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nDATA\r\nSubject: x\r\n\r\n..hi\r\n.\r\nQUIT\r\n",
		"EHLO a\r\nMAIL FROM:<a@x> SIZE=5 BODY=8BITMIME SMTPUTF8\r\nRCPT TO:<no@y>\r\nRCPT TO:<\"a b\"@[1.2.3.4]> NOTIFY=NEVER\r\nBDAT 5\r\nx\r\n\r\nBDAT 3 LAST\r\n.\r\nRSET\r\n",
		"HELO a\r\nMAIL FROM:<>\r\nRCPT TO:<b@y>\r\nDATA\r\n.\r\nMAIL FROM:<@r:a@x>\r\nRSET\r\nNOOP\r\n",
		"EHLO a\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nDATA\r\nx\n.\nMAIL FROM:<evil@x>\r\n.\r\nQUIT\r\n",
		"EHLO a\r\nXCLIENT ADDR=1.2.3.4\r\nAUTH PLAIN AGEAYg==\r\nSTARTTLS\r\nVRFY x\r\nHELP\r\n\x00\r\n\r\r\n",
		"EHLO a\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nDATA\r\nSubject: hold\r\n\r\n.\r\nMAIL FROM:<a@x>\r\nRCPT TO:<away@y>\r\nDATA\r\nSubject: reject\r\n\r\n.\r\n",
		"EHLO 0\r\nMAIL FROM:<0>\r\nRCPT TO:<0>\r\nDATA\r\nSuBjeCt: 0\r\n.\r\n", // whole at its verdict: handed on by BDAT
	} {
		f.Add([]byte(seed), 1)
		f.Add([]byte(seed), 4096)
	}
	f.Fuzz(func(t *testing.T, said []byte, chunk int) {
		fuzzDialogue(t, said, 1+max(chunk, -chunk, 0)%5000)
	})
}

func fuzzDialogue(t *testing.T, said []byte, chunk int) {
	cfg := DefaultConfig()
	cfg.Name, cfg.HandOn, cfg.RejectAt = "gate", ByProxy, AtConnect
	cfg.Limit.TextLine, cfg.Limit.Size = 1000, 64<<10
	open, asked := 0, 0
	ask := func(_ context.Context, r *policy.Request) osm.Verdict {
		if r.State == policy.Data {
			asked++
		}
		switch {
		case strings.HasPrefix(r.Recipient, "away"):
			return osm.Verdict{Action: osm.Discard}
		case r.Message.Subject == "reject":
			return osm.Verdict{Action: osm.Reject}
		case r.Message.Subject == "hold":
			return osm.Verdict{Action: osm.Hold}
		}
		return osm.Verdict{}
	}
	tell := func(p *Passage) {
		switch p.Stage {
		case Sending:
			open++
		case Accepted, Refused, Lost:
			open--
		}
	}
	g, err := New(cfg, Options{Now: func() time.Time { return time.Unix(1_800_000_000, 0) }, Ask: ask, Tell: tell, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{t: t}
	u := g.pool.list[0]
	u.note(nil, capabilities{"PIPELINING": "", "SIZE": "100000", "8BITMIME": "", "SMTPUTF8": "", "DSN": "", "CHUNKING": ""})
	s := g.newSession(t.Context(), &pipe{in: said, chunk: chunk}, false)
	s.link = &link{up: u, conn: w, wire: wire{conn: w}, offers: *g.pool.common.Load(), login: true} // not to be given back
	s.run()
	s.close()
	if open != 0 {
		t.Errorf("%d messages on their way were not told of to their end", open)
	}
	if w.messages > asked {
		t.Errorf("%d messages passed, %d were asked about", w.messages, asked)
	}
	if used := g.memory.used.Load(); used != 0 {
		t.Errorf("%d bytes of memory are not given back", used)
	}
}
