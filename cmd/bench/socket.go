package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"osm/policy"
)

// accepting lets all mail of a bench through after everything about it has been looked at: the figures are those of ordinary mail.
const accepting = `
[[rule]]
name = "bench"
classes = ["login", "script", "localhost", "relay", "inbound", "forward", "bounce", "list", "system"]
action = "accept"
`

// servers are osm and the bare server, each a process of its own.
type servers struct {
	osm, echo string // sockets
	stop      func() error
}

// Names of the sockets in their folder.
const (
	policySocket = "policy.sock"
	echoSocket   = "echo.sock"
)

// socketFolder makes a folder for sockets that Exim's user can come to.
func (b *bench) socketFolder() (string, error) {
	dir, err := os.MkdirTemp(b.dir, "policy")
	if err != nil {
		return "", err
	}
	return dir, os.Chmod(dir, 0o755)
}

// startServers starts both in a folder; osm follows a log.
func (b *bench) startServers(ctx context.Context, dir, log, more string) (*servers, error) {
	d, err := b.daemon(ctx, dir, log, more)
	if err != nil {
		return nil, err
	}
	if err := answers(ctx, "unix", d.policy); err != nil {
		return nil, errors.Join(err, d.stop())
	}
	echo := filepath.Join(dir, echoSocket)
	stop, err := startEcho(ctx, echo)
	if err != nil {
		return nil, errors.Join(err, d.stop())
	}
	return &servers{osm: d.policy, echo: echo, stop: func() error { return errors.Join(stop(), d.stop()) }}, nil
}

// questions are Exim's, about mail of a thousand logins to twenty correspondents of each. They are made beforehand, so that
// asking costs next to nothing, and get ids of their own when they are asked.
type questions struct {
	texts [][]byte
	next  atomic.Int64
}

const firstID = "000000"

func newQuestions(state policy.State) *questions {
	q := &questions{texts: make([][]byte, 20_000)}
	for n := range q.texts {
		login, to := n%1000, fmt.Sprintf("r%d@far%d.example", n/1000, n%1000)
		q.texts[n] = fmt.Appendf(nil, "request=smtpd_access_policy\nprotocol_state=%s\nprotocol_name=esmtpsa\nclient_address=192.0.2.%d\n"+
			"client_port=4000\nserver_port=587\nhelo_name=pc%d\nqueue_id=%s-"+firstID+"-0A\nsender=u%d@shop.example\nrecipient=\nrecipient_count=1\n"+
			"size=2000\nsasl_method=plain\nsasl_username=u%d@shop.example\nencryption_cipher=TLS1.3\nexim_uid=102\nexim_ident=\nexim_cwd_b64=\n"+
			"exim_subject_b64=%s\nexim_recipients_b64=%s\n\n", state, login%250, login, base62(1_790_000_000), login, login,
			base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "Order %d", n)), base64.StdEncoding.EncodeToString([]byte(to)))
	}
	return q
}

// write makes the next question.
func (q *questions) write(dst []byte) []byte {
	n := q.next.Add(1)
	text := q.texts[n%int64(len(q.texts))]
	dst = append(dst, text...)
	id := base62(uint64(n))
	copy(dst[bytes.Index(dst, []byte("-"+firstID+"-"))+1:], id)
	return dst
}

// asking is questions from so many connections for a while.
type asking struct {
	network     string // "" is unix
	socket      string
	connections int
	each        bool          // a connection for each question
	pace        time.Duration // between two questions of a connection; 0: as fast as they are answered
	span        time.Duration
	questions   *questions
}

// run tells how many answers came in a second, and how long each took.
func (a asking) run(ctx context.Context) (rate float64, waits []time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, a.span)
	defer cancel()
	all, errs := make([][]time.Duration, a.connections), make([]error, a.connections)
	start := time.Now()
	var done sync.WaitGroup
	for i := range a.connections {
		done.Go(func() { all[i], errs[i] = a.connection(ctx) })
	}
	done.Wait()
	took := time.Since(start)
	waits = slices.Concat(all...)
	return float64(len(waits)) / took.Seconds(), waits, errors.Join(errs...)
}

func (a asking) connection(ctx context.Context) (waits []time.Duration, err error) {
	var conn net.Conn
	var request []byte
	answer := make([]byte, 512)
	due := time.Now()
	for ctx.Err() == nil {
		request = a.questions.write(request[:0])
		if a.pace > 0 {
			due = due.Add(a.pace)
			time.Sleep(time.Until(due))
		}
		asked := time.Now()
		if conn == nil {
			if conn, err = net.Dial(cmp.Or(a.network, "unix"), a.socket); err != nil {
				return nil, err
			}
		}
		if _, err = conn.Write(request); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
		if a.each {
			err = conn.(*net.UnixConn).CloseWrite()
		}
		n := 0
		for err == nil && !bytes.HasSuffix(answer[:n], []byte("\n\n")) {
			var more int
			more, err = conn.Read(answer[n:])
			n += more
		}
		if err != nil || !bytes.EqualFold(answer[:n], []byte(verdict)) {
			return nil, errors.Join(fmt.Errorf("answered %q: %w", answer[:n], err), conn.Close())
		}
		waits = append(waits, time.Since(asked))
		if a.each {
			if _, err := io.Copy(io.Discard, conn); err != nil { // as Exim does: to the end
				return nil, errors.Join(err, conn.Close())
			}
			conn.Close()
			conn = nil
		}
	}
	if conn != nil {
		err = conn.Close()
	}
	return waits, err
}

// socket compares verdicts with the bare server's answers.
func (b *bench) socket(ctx context.Context) (err error) {
	dir, err := b.socketFolder()
	if err != nil {
		return err
	}
	log := filepath.Join(dir, "quiet")
	if err := os.WriteFile(log, nil, 0o644); err != nil {
		return err
	}
	s, err := b.startServers(ctx, dir, log, accepting)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	q := newQuestions(policy.Data)
	for _, a := range []asking{{connections: 1}, {connections: 2}, {connections: 4}, {connections: 8}, {connections: 16}, {connections: 4, each: true}} {
		var echo, osm []float64
		a.span, a.questions = 700*time.Millisecond, q
		for range b.rounds {
			for _, one := range []struct {
				socket string
				rates  *[]float64
			}{{s.echo, &echo}, {s.osm, &osm}} {
				a.socket = one.socket
				rate, _, err := a.run(ctx)
				if err != nil {
					return err
				}
				*one.rates = append(*one.rates, rate)
			}
		}
		what := fmt.Sprintf("verdicts, %d connections", a.connections)
		if a.each {
			what = fmt.Sprintf("verdicts, a connection each, %d at once", a.connections)
		}
		b.table.add(row{what: what, measured: fmt.Sprintf("%.0f/s", median(osm)), than: fmt.Sprintf("bare server %.0f/s", median(echo)),
			ratio: fmt.Sprintf("%.2f", median(ratios(osm, echo))), bar: "0.5"})
	}
	return b.latency(ctx, s, q)
}

// latency asks 5,000 times a second.
func (b *bench) latency(ctx context.Context, s *servers, q *questions) error {
	figures := [2]string{}
	for i, socket := range []string{s.osm, s.echo} {
		const connections, rate = 10, 5000
		a := asking{socket: socket, connections: connections, pace: connections * time.Second / rate, span: 4 * time.Second, questions: q}
		got, waits, err := a.run(ctx)
		if err != nil {
			return err
		}
		slices.Sort(waits)
		figures[i] = fmt.Sprintf("p50 %v, p99 %v at %.0f/s", waits[len(waits)/2].Round(time.Microsecond), waits[len(waits)*99/100].Round(time.Microsecond), got)
	}
	b.table.add(row{what: "wait for a verdict at 5,000/s", measured: figures[0], than: "bare server " + figures[1], bar: "p99 under 1 ms"})
	return nil
}
