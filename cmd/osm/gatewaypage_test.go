package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"osm/lab"
)

// TestGatewayPage sets up what doc/gateway.md says, with other ports: the mail server, and osm serve in front of it. swaks
// sends through it on each port, and what it has sent comes out behind, and is in osm's history.
func TestGatewayPage(t *testing.T) {
	if _, err := exec.LookPath("swaks"); err != nil {
		t.Skip(err)
	}
	text, err := os.ReadFile("../../doc/gateway.md")
	if err != nil {
		t.Fatal(err)
	}
	sample := map[string]string{} // by what stands behind the opening fence
	for _, m := range regexp.MustCompile("(?s)```([a-z. -]+)\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		sample[m[1]] = m[2]
	}
	t.Run("exim", func(t *testing.T) {
		p := newPageWorld(t)
		p.startExim(t, sample["exim"])
		p.goThrough(t, sample["toml exim"])
	})
	t.Run("postfix", func(t *testing.T) {
		p := newPageWorld(t)
		plain := p.startPostfix(t, sample["main.cf"], sample["master.cf"])
		t.Run("proxy", func(t *testing.T) { p.goThrough(t, sample["toml postfix-proxy"]) })
		p.places["127.0.0.1:2525"], p.places["192.0.2.11:25"] = plain, plain
		t.Run("xclient", func(t *testing.T) { p.goThrough(t, sample["toml postfix-xclient"]) })
		t.Run("other", func(t *testing.T) { p.goThrough(t, sample["toml other"]) })
	})
}

// goThrough runs osm with a sample, and sends to each port of it.
func (p *pageWorld) goThrough(t *testing.T, sample string) {
	t.Helper()
	p.config, p.sent = filepath.Join(t.TempDir(), "osm.toml"), nil
	p.serve(t, sample)
	for _, door := range []struct{ address, more string }{{"0.0.0.0:25", "--pipeline"}, {"0.0.0.0:587", "--tls"}, {"0.0.0.0:465", "--tlsc"}} {
		if strings.Contains(sample, door.address) {
			p.send(t, p.places[door.address], door.more)
		}
	}
	p.inHistory(t)
}

// pageWorld is a server as the page describes it, on ports of its own.
type pageWorld struct {
	places map[string]string // what stands for the page's addresses and files
	sink   *lab.Sink
	log    string
	config string   // the file of the osm that runs
	sent   []string // recipients, by that
}

func newPageWorld(t *testing.T) *pageWorld {
	t.Helper()
	sink, err := lab.NewSink(lab.SinkOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sink.Close() })
	dir := t.TempDir()
	p := &pageWorld{places: map[string]string{}, sink: sink, log: filepath.Join(dir, "no.log")}
	for _, address := range []string{"0.0.0.0:25", "0.0.0.0:587", "0.0.0.0:465", "127.0.0.1:2525", "192.0.2.10:25", "192.0.2.11:25"} {
		p.places[address] = unusedAddress(t)
	}
	for _, file := range []string{"cert.pem", "key.pem"} {
		p.places["/etc/osm/"+file] = filepath.Join(dir, file)
	}
	out, err := exec.Command("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=mx.osm.test",
		"-keyout", p.places["/etc/osm/key.pem"], "-out", p.places["/etc/osm/cert.pem"]).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return p
}

func unusedAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// here is a sample with this world's places in it.
func (p *pageWorld) here(sample string) string {
	var pairs []string
	for name, place := range p.places {
		pairs = append(pairs, `"`+name+`"`, `"`+place+`"`)
	}
	_, port, _ := net.SplitHostPort(p.places["127.0.0.1:2525"])
	return strings.NewReplacer(append(pairs, "2525", port)...).Replace(sample)
}

func (p *pageWorld) startExim(t *testing.T, main string) {
	t.Helper()
	if err := lab.Missing(); err != nil {
		t.Skip(err)
	}
	e, err := lab.Start(t.Context(), lab.Options{Sink: p.sink, Main: p.here(main)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Stop(); err != nil {
			t.Error(err)
		}
	})
	p.log = e.LogPath()
}

// startPostfix starts one with more lines in its files, and tells the port that it has beside those.
func (p *pageWorld) startPostfix(t *testing.T, main, master string) (address string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	f, err := lab.StartPostfix(ctx, lab.PostfixOptions{Relayhost: p.sink.Address(), Main: main, Master: p.here(master)})
	if errors.Is(err, lab.ErrNoPostfix) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(f.Logged())
		}
		if err := f.Stop(); err != nil {
			t.Error(err)
		}
	})
	return f.SMTP().String()
}

// serve runs osm with a sample until the test ends, and returns when the gateway answers.
func (p *pageWorld) serve(t *testing.T, sample string) {
	t.Helper()
	dir := filepath.Dir(p.config)
	text := fmt.Sprintf("exim.log = %q\nstore.path = %q\ncontrol.socket = %q\npolicy.socket = %q\nweb.listen = \"\"\n%s", p.log, filepath.Join(dir, "osm.db"),
		filepath.Join(dir, "c.sock"), filepath.Join(dir, "p.sock"), p.here(sample))
	if err := os.WriteFile(p.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	if status := p.osm(&said).run(t.Context(), []string{"config", "check", p.config}); status != done {
		t.Fatalf("osm config check: %s\n%s", &said, text)
	}
	var complaints bytes.Buffer
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() { ended <- p.osm(&complaints).run(ctx, []string{"serve", "-c", p.config}) }()
	t.Cleanup(func() {
		stop()
		if status := <-ended; status != done || t.Failed() {
			t.Errorf("osm serve: %d\n%s", status, &complaints)
		}
	})
	p.until(t, "the gateway answers", func() bool {
		conn, err := net.Dial("tcp", p.places["0.0.0.0:25"])
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

func (p *pageWorld) osm(out *bytes.Buffer) *program {
	return &program{in: strings.NewReader(""), out: out, err: out, now: time.Now}
}

func (p *pageWorld) until(t *testing.T, what string, reached func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for !reached() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

// send sends with swaks, and waits until the message comes out behind the mail server.
func (p *pageWorld) send(t *testing.T, address string, more ...string) {
	t.Helper()
	to := fmt.Sprintf("friend%d@%s.example", len(p.sent), strings.ToLower(filepath.Base(t.Name())))
	p.sent = append(p.sent, to)
	args := append([]string{"--server", address, "--from", "ann@osm.test", "--to", to, "--header", "Subject: by " + to}, more...)
	if out, err := exec.CommandContext(t.Context(), "swaks", args...).CombinedOutput(); err != nil {
		t.Fatalf("swaks %s: %v\n%s", args, err, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if _, err := p.sink.Wait(ctx, func(r *lab.Received) bool { return r.Recipients[0] == to }); err != nil {
		t.Fatal(err)
	}
}

// inHistory waits until osm has every message in its history.
func (p *pageWorld) inHistory(t *testing.T) {
	t.Helper()
	if len(p.sent) == 0 {
		t.Fatal("the page's sample listens nowhere")
	}
	var out bytes.Buffer
	p.until(t, "the messages are in the history", func() bool {
		out.Reset()
		p.osm(&out).run(t.Context(), []string{"search", "-c", p.config, "--json"}) // there is no history at first
		return strings.Count(out.String(), `"sender": "ann@osm.test"`) == len(p.sent)
	})
	if n := strings.Count(out.String(), `"client": "127.0.0.1"`); n != len(p.sent) {
		t.Errorf("the client is in %d of %s", n, &out)
	}
}
