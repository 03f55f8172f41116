package gateway_test

import (
	"context"
	"io"
	"log"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"osm"
	"osm/gateway"
	"osm/policy"
)

// load sends b.N messages of 2 kB over connections that stay open, as go-smtp's client does, and returns how long each took.
func load(b *testing.B, addr string, connections int) []time.Duration {
	text := "Subject: a letter\r\nFrom: <a@osm.test>\r\n\r\n" + strings.Repeat(strings.Repeat("x", 68)+"\r\n", 28)
	clients := make([]*smtp.Client, connections)
	for i := range clients {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			b.Fatal(err)
		}
		clients[i] = smtp.NewClient(conn)
		if err := clients[i].Hello("client.example"); err != nil {
			b.Fatal(err)
		}
		defer clients[i].Close()
	}
	var left atomic.Int64
	left.Store(int64(b.N))
	took := make([][]time.Duration, connections)
	var all sync.WaitGroup
	before := processor(b)
	b.ResetTimer()
	for i, c := range clients {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				began := time.Now()
				if err := c.SendMail("a@osm.test", []string{"b@far.example"}, strings.NewReader(text)); err != nil {
					b.Error(err)
					return
				}
				took[i] = append(took[i], time.Since(began))
			}
		})
	}
	all.Wait()
	b.StopTimer()
	b.ReportMetric(float64((processor(b)-before).Microseconds())/float64(b.N), "cpu-us/message")
	return slices.Concat(took...)
}

// processor is the time that the processors have spent on this process: it does not change with what else they do.
func processor(b *testing.B) time.Duration {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

func report(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(len(took))/b.Elapsed().Seconds(), "messages/s")
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-us")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-us")
}

// plainSink takes everything and keeps nothing.
func plainSink(b *testing.B) string {
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return nothing{}, nil }))
	server.MaxMessageBytes, server.ErrorLog = 100<<20, log.New(io.Discard, "", 0)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go server.Serve(l)
	b.Cleanup(func() { server.Close() })
	return l.Addr().String()
}

type nothing struct{}

func (nothing) Reset()                               {}
func (nothing) Logout() error                        { return nil }
func (nothing) Mail(string, *smtp.MailOptions) error { return nil }
func (nothing) Rcpt(string, *smtp.RcptOptions) error { return nil }
func (nothing) Data(r io.Reader) error {
	_, err := io.Copy(io.Discard, r)
	return err
}

const many = 16

// BenchmarkSink is go-smtp's client and server alone, BenchmarkGateway the same with the gateway between them, and
// BenchmarkRelay with the least that go-smtp can pass messages on with: compare their messages/s. All share this process,
// and so its processors.
func BenchmarkSink(b *testing.B) { report(b, load(b, plainSink(b), many)) }

func BenchmarkGateway(b *testing.B) { benchGateway(b, many) }

// BenchmarkSinkAlone and BenchmarkGatewayAlone have one client: what it waits for is not the other fifteen.
func BenchmarkSinkAlone(b *testing.B) { report(b, load(b, plainSink(b), 1)) }

func BenchmarkGatewayAlone(b *testing.B) { benchGateway(b, 1) }

func benchGateway(b *testing.B, connections int) {
	cfg := settings(plainSink(b))
	f := newFront(b, cfg, nil, func(o *gateway.Options) {
		o.Ask = func(context.Context, *policy.Request) osm.Verdict { return osm.Verdict{} }
		o.Tell = nil
	})
	report(b, load(b, f.addr, connections))
	if n := f.Stats().Messages.Load(); n != uint64(b.N) {
		b.Errorf("%d of %d messages went through", n, b.N)
	}
}

func BenchmarkRelay(b *testing.B) {
	sink := plainSink(b)
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) {
		client, err := smtp.Dial(sink)
		return &relaying{Client: client}, err
	}))
	server.MaxMessageBytes, server.ErrorLog = 100<<20, log.New(io.Discard, "", 0)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go server.Serve(l)
	b.Cleanup(func() { server.Close() })
	report(b, load(b, l.Addr().String(), many))
}

// relaying is a session of a plain relay, with a connection to the sink that stays open as long as its client's.
type relaying struct{ *smtp.Client }

func (r *relaying) Reset()        {}
func (r *relaying) Logout() error { return r.Close() }
func (r *relaying) Mail(from string, o *smtp.MailOptions) error {
	return r.Client.Mail(from, o)
}
func (r *relaying) Rcpt(to string, o *smtp.RcptOptions) error { return r.Client.Rcpt(to, o) }
func (r *relaying) Data(in io.Reader) error {
	out, err := r.Client.Data()
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Close()
}
