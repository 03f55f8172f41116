package policy

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"osm"
)

func TestParseRequest(t *testing.T) {
	b64 := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	r, err := Parse([]byte("request=smtpd_access_policy\nprotocol_state=NOTSMTP\nclient_address=\nhelo_name=\nqueue_id=1xVPOh-0003K5-0B\n" +
		"sender=a@b\nrecipient=\nsize=77\nexim_uid=33\nexim_ident=www-data\nfuture=whatever=x\n" +
		"exim_cwd_b64=" + b64("/home/a\nevil=1") + "\nexim_subject_b64=" + b64("x\ny") + "\nexim_recipients_b64=" + b64(`"o, p"@q.example, r@s`) + "\n"))
	if err != nil {
		t.Fatal(err)
	}
	m := r.Message
	if r.State != NotSMTP || m.ID != "1xVPOh-0003K5-0B" || m.Sender != "a@b" || m.Size != 77 || r.UID != 33 || m.User != "www-data" ||
		m.Script.Path != "/home/a\nevil=1" || m.Subject != "x\ny" || !slices.Equal(m.Recipients, []string{`"o, p"@q.example`, "r@s"}) {
		t.Errorf("%+v", r)
	}
}

func TestParseRequestRefuses(t *testing.T) {
	for _, text := range []string{"", "request=other\nprotocol_state=RCPT", "protocol_state=RCPT", "request=smtpd_access_policy",
		"request=smtpd_access_policy\nprotocol_state=BREAKFAST", "request=smtpd_access_policy\nprotocol_state=RCPT\nno equals sign",
		"request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=1.2.3", "request=smtpd_access_policy\nprotocol_state=RCPT\nsize=-1",
		"request=smtpd_access_policy\nprotocol_state=DATA\nexim_cwd_b64=%%%"} {
		if r, err := Parse([]byte(text)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%q: %+v, %v", text, r, err)
		}
	}
}

func TestAnswers(t *testing.T) {
	for want, v := range map[string]osm.Verdict{
		"action=DUNNO\n\n":                                                 {Detail: "no matter"},
		"action=REJECT 5.7.1 too much (V1)\n\n":                            {Action: osm.Reject, Detail: "too much", ID: "V1"},
		"action=DEFER 4.7.1 later?action=OK\n\n":                           {Action: osm.Defer, Detail: "later\naction=OK"},
		"action=HOLD not accepted now by policy, try again later (V2)\n\n": {Action: osm.Hold, ID: "V2"},
		"action=DISCARD gone\n\n":                                          {Action: osm.Discard, Detail: "gone"},
		"action=REDIRECT hold@here.example\n\n":                            {Action: osm.Divert, Detail: "hold@here.example"},
		"action=HOLD " + strings.Repeat("x", 300) + "\n\n":                 {Action: osm.Hold, Detail: strings.Repeat("x", 5000)},
	} {
		if got := string(AppendAnswer(nil, v)); got != want {
			t.Errorf("%+v: got %q, want %q", v, got, want)
		}
	}
}

// startServer serves on a unix socket until the test ends.
func startServer(t *testing.T, o ServerOptions) (*Server, string) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	s := NewServer(o)
	serve(t, s, l)
	return s, socket
}

// serve lets a server answer until the test ends.
func serve(t *testing.T, s *Server, l net.Listener) {
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

func dial(t *testing.T, socket string) *net.UnixConn {
	t.Helper()
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.UnixConn)
}

func rejectsBob(r *Request) osm.Verdict {
	if r.Message.Sender == "bob" {
		return osm.Verdict{Action: osm.Reject, Detail: "no"}
	}
	return osm.Verdict{}
}

func request(sender string) string {
	return "request=smtpd_access_policy\nprotocol_state=DATA\nsender=" + sender + "\n\n"
}

func TestServer(t *testing.T) {
	for name, test := range map[string]func(*testing.T, ServerOptions){"many on one connection": serverManyOnOneConnection,
		"write side shut": serverWriteSideShut, "bad requests": serverBadRequests, "other users": serverRefusesOtherUsers,
		"many at once": serverManyAtOnce, "sent before": serverSentBefore} {
		for _, quick := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, quick %v", name, quick), func(t *testing.T) { test(t, ServerOptions{Ask: rejectsBob, Quick: func() bool { return quick }}) })
		}
	}
}

// serverSentBefore: what was sent before the connection is accepted is answered at once, and so is what follows it.
func serverSentBefore(t *testing.T, o ServerOptions) {
	l, err := net.Listen("unix", filepath.Join(t.TempDir(), "s"))
	if err != nil {
		t.Fatal(err)
	}
	long := strings.TrimSuffix(request("bob"), "\n") + "future=" + strings.Repeat("x", 3*firstBuffer) + "\n\n"
	conns := map[string]*net.UnixConn{}
	for _, text := range []string{"", "request=", request("bob"), request("alice") + request("bob"), request("bob") + "request=smtpd", long} {
		conns[text] = dial(t, l.Addr().String())
		fmt.Fprint(conns[text], text)
		if text != "request=" {
			conns[text].CloseWrite()
		}
	}
	serve(t, NewServer(o), l)
	fmt.Fprint(conns["request="], request("alice")[len("request="):]+request("bob"))
	conns["request="].CloseWrite()
	for text, c := range conns {
		want := strings.Repeat("action=DUNNO\n\n", strings.Count(text, "alice")) + strings.Repeat("action=REJECT 5.7.1 no\n\n", strings.Count(text, "bob"))
		if text == "request=" {
			want = "action=DUNNO\n\naction=REJECT 5.7.1 no\n\n"
		}
		if all, err := io.ReadAll(c); err != nil || string(all) != want {
			t.Errorf("%.80q: %q, %v", text, all, err)
		}
	}
}

func serverManyOnOneConnection(t *testing.T, o ServerOptions) {
	_, socket := startServer(t, o)
	c := dial(t, socket)
	in := bufio.NewReader(c)
	answer := func() string {
		line, err := in.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		in.ReadString('\n')
		return line
	}
	for i := range 50 {
		fmt.Fprint(c, request("bob"))
		if got := answer(); got != "action=REJECT 5.7.1 no\n" {
			t.Fatalf("%d: %q", i, got)
		}
	}
	fmt.Fprint(c, request("alice")+request("bob")+request("alice")) // pipelined
	for _, want := range []string{"action=DUNNO\n", "action=REJECT 5.7.1 no\n", "action=DUNNO\n"} {
		if got := answer(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func serverWriteSideShut(t *testing.T, o ServerOptions) {
	_, socket := startServer(t, o)
	c := dial(t, socket)
	text := request("bob")
	for i := range len(text) { // as slowly as it gets
		fmt.Fprint(c, text[i:i+1])
	}
	c.CloseWrite()
	all, err := io.ReadAll(c)
	if err != nil || string(all) != "action=REJECT 5.7.1 no\n\n" {
		t.Errorf("%q, %v", all, err)
	}
}

func serverBadRequests(t *testing.T, o ServerOptions) {
	o.Ask = func(*Request) osm.Verdict { t.Error("asked"); return osm.Verdict{} }
	s, socket := startServer(t, o)
	for name, text := range map[string]string{"garbage": "\x00\xff\n\n", "empty": "\n\n", "huge": strings.Repeat("x", maxRequest+1), "torn": "request=smtpd_acc"} {
		c := dial(t, socket)
		fmt.Fprint(c, text)
		c.CloseWrite()
		all, _ := io.ReadAll(c) // a reset connection is as good as a closed one
		if strings.Contains(string(all), "DUNNO") || strings.Contains(string(all), "action=OK") {
			t.Errorf("%s: answered %q", name, all)
		}
	}
	if n := s.Stats().Malformed.Load(); n < 2 {
		t.Errorf("%d malformed requests are counted", n)
	}
}

func serverRefusesOtherUsers(t *testing.T, o ServerOptions) {
	uid := os.Getuid()
	o.Allowed = func(u int) bool { return u != uid }
	s, socket := startServer(t, o)
	c := dial(t, socket)
	fmt.Fprint(c, request("alice"))
	all, _ := io.ReadAll(c)
	if len(all) != 0 || s.Stats().Refused.Load() != 1 {
		t.Errorf("answered %q", all)
	}
}

func TestServerOverload(t *testing.T) {
	entered, leave := make(chan bool), make(chan bool)
	s, socket := startServer(t, ServerOptions{Most: 1, Fallback: osm.Verdict{Action: osm.Defer, Detail: "busy"},
		Ask: func(*Request) osm.Verdict { entered <- true; <-leave; return osm.Verdict{} }})
	first := dial(t, socket)
	fmt.Fprint(first, request("alice"))
	<-entered
	second := dial(t, socket)
	fmt.Fprint(second, request("alice"))
	second.CloseWrite()
	if all, err := io.ReadAll(second); err != nil || string(all) != "action=DEFER 4.7.1 busy\n\n" {
		t.Errorf("%q, %v", all, err)
	}
	close(leave)
	first.CloseWrite()
	if all, err := io.ReadAll(first); err != nil || string(all) != "action=DUNNO\n\n" {
		t.Errorf("%q, %v", all, err)
	}
	if n := s.Stats().Overload.Load(); n != 1 {
		t.Errorf("%d overloads are counted", n)
	}
}

func serverManyAtOnce(t *testing.T, o ServerOptions) {
	_, socket := startServer(t, o)
	var wait sync.WaitGroup
	for i := range 100 {
		wait.Go(func() {
			c, err := net.Dial("unix", socket)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			who, want := "alice", "action=DUNNO\n\n"
			if i%2 == 0 {
				who, want = "bob", "action=REJECT 5.7.1 no\n\n"
			}
			fmt.Fprint(c, request(who))
			c.(*net.UnixConn).CloseWrite()
			if all, err := io.ReadAll(c); err != nil || string(all) != want {
				t.Errorf("%q, %v", all, err)
			}
		})
	}
	wait.Wait()
}

func FuzzParseRequest(f *testing.F) {
	f.Add(request("alice"))
	f.Add("request=smtpd_access_policy\nprotocol_state=RCPT\nclient_address=2001:db8::1\nrecipient_count=5\nexim_recipients_b64=YSwgYg==\n")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Parse([]byte(text))
		if (r == nil) == (err == nil) {
			t.Fatalf("%+v with error %v", r, err)
		}
		if err != nil && !errors.Is(err, ErrMalformed) {
			t.Fatalf("an error of another kind: %v", err)
		}
	})
}
