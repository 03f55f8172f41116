package daemon

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/smtp"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"osm"
	"osm/config"
	"osm/exim"
	"osm/gateway"
	"osm/lab"
	"osm/panel"
	"osm/policy"
	"osm/web"
)

// front is a gateway before a real Exim that knows it by the PROXY protocol, and what the daemon has seen arrive.
type front struct {
	*world
	at   netip.AddrPort
	key  string
	mu   sync.Mutex
	seen []osm.Message

	attempts []osm.Delivery
}

// newFront starts Exim, which asks by itself as well where a way is given. Its log has no subjects: what a rule finds there
// is known from the gateway's question alone.
func newFront(t *testing.T, way exim.Way, change func(*config.Config)) *front {
	if err := lab.Missing(); err != nil {
		t.Skip(err)
	}
	f := &front{world: &world{T: t, cfg: config.Defaults()}}
	f.cfg.Web.Listen = ""
	var err error
	if f.sink, err = lab.NewSink(lab.SinkOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.sink.Close() })
	o := lab.Options{Sink: f.sink, Ask: way, Main: "hosts_proxy = 127.0.0.1\nsmtp_accept_max = 100\n",
		Accounts: []lab.Account{{Address: "ann@osm.test", Password: "secret"}}}
	if way == "" {
		o.Main += "acl_smtp_data = front_data\n"
		o.ACL = "front_data:\n  deny condition = ${if eq{$h_subject:}{filtered}}\n       message = not this content\n  accept\n"
	}
	f.exim, err = lab.Start(within(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.exim.Stop(); err != nil {
			t.Error(err)
		}
	})
	dir := t.TempDir()
	f.key = filepath.Join(dir, "rewrite.key")
	if way == exim.ByRewrite {
		if _, err := policy.CreateKey(f.key); err != nil {
			t.Fatal(err)
		}
	}
	f.cfg.Exim.Log, f.cfg.Store.Path = f.exim.LogPath(), filepath.Join(dir, "osm.db")
	f.cfg.Policy.Socket, f.cfg.Control.Socket = f.exim.PolicySocket(), filepath.Join(f.exim.Folder(), "control.sock")
	f.cfg.Gateway.Listen, f.cfg.Gateway.Upstream = []string{"127.0.0.1:0"}, []string{f.exim.SMTP().String()}
	f.cfg.Gateway.AuthWithoutTLS = true
	f.cfg.Rules = []policy.Rule{{Name: "marked", When: `subject contains "mark"`, Action: osm.Hold, Shadow: true},
		{Name: "held", When: `subject contains "hold"`, Action: osm.Hold, Key: osm.KeySender},
		{Name: "refused", When: `subject contains "refuse"`, Action: osm.Reject, Text: "not this"}}
	if change != nil {
		change(&f.cfg)
	}
	at := make(chan netip.AddrPort, 1)
	f.begin(Options{Panel: panel.Open(panel.DefaultConfig(), f.exim.Root(), time.Now()), Key: f.key, Gateway: func(all []netip.AddrPort) { at <- all[0] },
		Watch: Watch{Arrival: func(m *osm.Message) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.seen = append(f.seen, *m)
		}, Delivery: func(_ *osm.Message, d *osm.Delivery) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.attempts = append(f.attempts, *d)
		}}})
	f.at = <-at
	return f
}

func (f *front) arrived() []osm.Message {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.seen)
}

// send gives the gateway a message, with a login where one is named.
func (f *front) send(login, headers string, recipients ...string) error {
	return f.sendFrom("127.0.0.1", login, headers, recipients...)
}

func (f *front) sendFrom(client, login, headers string, recipients ...string) error {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(client)}}
	conn, err := d.DialContext(within(f.T), "tcp", f.at.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	c, err := smtp.NewClient(conn, "127.0.0.1")
	if err != nil {
		return err
	}
	if err := c.Hello("client.example"); err != nil {
		return err
	}
	if login != "" {
		if err := c.Auth(smtp.PlainAuth("", login, "secret", "127.0.0.1")); err != nil {
			return err
		}
	}
	if err := lab.Transmit(c, "ann@osm.test", recipients, headers+"\r\n\r\n..a text\r\n"); err != nil {
		return err
	}
	return c.Quit()
}

// TestGatewayCountsOnce sends many messages at once, alike in all ways that they can be: Exim's log and the gateway tell of
// each, in any order, and osm counts it once with the gateway's verdict.
func TestGatewayCountsOnce(t *testing.T) {
	for name, way := range map[string]exim.Way{"gateway alone": "", "Exim asks as well": exim.ByACL, "Exim asks by rewriting": exim.ByRewrite} {
		t.Run(name, func(t *testing.T) {
			f := newFront(t, way, nil)
			const messages = 60
			var all sync.WaitGroup
			for worker := range 6 {
				all.Go(func() {
					for n := range messages / 6 {
						headers := "Subject: a mark\r\nMessage-ID: <" + []string{"same@osm.test", fmt.Sprintf("%d.%d@osm.test", worker, n), "odd id (of) <some kind"}[n%3] + ">"
						if n%4 == 3 {
							headers = "Subject: a mark without an id"
						}
						login := []string{"", "ann@osm.test"}[n%2]
						if err := f.send(login, headers, []string{"b@far.example", "c@far.example", "d@far.example"}[:1+n%3]...); err != nil {
							t.Error(err)
						}
					}
				})
			}
			all.Wait()
			f.until("all have arrived in the history", func() bool { return len(f.arrived()) >= messages })
			if _, err := f.exim.WaitLog(within(t), "Completed"); err != nil {
				t.Fatal(err)
			}
			for _, m := range f.arrived() {
				if m.Verdict.Rule != "marked" || m.Verdict.Passive || !exim.ValidID(m.ID) || m.Client.String() != "127.0.0.1" {
					t.Errorf("%s with id %q: %+v", m.ID, m.MessageID, m.Verdict)
				}
				if number, _, _ := strings.Cut(m.MessageID, "@"); strings.Contains(number, ".") && len(m.Recipients) != 2 && len(m.Recipients) != 0 {
					t.Errorf("%s, the only one with id %q, is said to be for %q", m.ID, m.MessageID, m.Recipients)
				}
			}
			if n := len(f.arrived()); n != messages {
				t.Errorf("%d messages were counted, of %d", n, messages)
			}
			if way != "" {
				return
			}
			if err := f.send("", "Subject: please refuse", "b@far.example"); err == nil || !strings.Contains(err.Error(), "5.7.1 not this (V") {
				t.Errorf("refused with %v", err)
			}
			f.until("the refusal is in the history", func() bool {
				list := f.arrived()
				return list[len(list)-1].Verdict.Rule == "refused"
			})
		})
	}
}

// TestGatewayHoldsInExim holds a message by rewritten recipients: Exim keeps it, a person releases it, and it goes to whom it
// was written to.
func TestGatewayHoldsInExim(t *testing.T) {
	f := newFront(t, exim.ByRewrite, func(c *config.Config) { c.Gateway.Hold = gateway.HoldExim })
	if err := errors.Join(f.send("ann@osm.test", "Subject: hold this", "b@far.example", "Odd+One@far.example"), f.send("", "Subject: a mark", "c@far.example")); err != nil {
		t.Fatal(err)
	}
	if _, err := f.sink.Wait(within(t), func(r *lab.Received) bool { return r.Recipients[0] == "c@far.example" }); err != nil {
		t.Fatal(err)
	}
	var held web.Held
	f.until("the message is held", func() bool {
		held = f.held("by=key&list=10")
		return len(held.List) == 1
	})
	if f.sink.To("b@far.example") != 0 {
		t.Error("the message went out")
	}
	f.order(web.HeldOrder{What: web.Release, IDs: []string{held.List[0].ID}})
	got, err := f.sink.Wait(within(t), func(r *lab.Received) bool { return slices.Contains(r.Recipients, "b@far.example") })
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(got.Recipients, "Odd+One@far.example") || !strings.HasSuffix(string(got.Data), "Subject: hold this\r\n\r\n..a text\r\n") {
		t.Errorf("%v got %q", got.Recipients, got.Data)
	}
	const stranger = "127.0.0.5" // may not write to other domains, and so not to the hold router's
	if err := f.sendFrom(stranger, "", "Subject: hold a stranger's", "ann@osm.test"); err != nil {
		t.Fatal(err)
	}
	f.until("the stranger's message is held", func() bool {
		held = f.held("by=key&list=10")
		return len(held.List) == 1 && !slices.ContainsFunc(held.List, func(h web.HeldOne) bool { return h.Sender != "ann@osm.test" })
	})
	f.order(web.HeldOrder{What: web.Release, IDs: []string{held.List[0].ID}})
	if _, err := f.exim.WaitLog(within(t), "=> ann <h."); err != nil {
		t.Error(err)
	}
}

// TestGatewayKnowsMore: Exim's log, as Debian has it, tells neither subject nor recipients nor From. The history has them all the same.
func TestGatewayKnowsMore(t *testing.T) {
	for name, way := range map[string]exim.Way{"gateway alone": "", "Exim asks as well": exim.ByACL} {
		t.Run(name, func(t *testing.T) {
			f := newFront(t, way, nil)
			for n, subject := range []string{"the first", "the second"} {
				if err := f.send("ann@osm.test", "From: Ann <ann@shop.example>\r\nSubject: "+subject, "b@far.example", "c@far.example"); err != nil {
					t.Fatal(err)
				}
				f.until("it is in the history", func() bool { return len(f.arrived()) == n+1 })
				if m := f.arrived()[n]; m.Subject != subject || !slices.Equal(m.Recipients, []string{"b@far.example", "c@far.example"}) || m.From != "ann@shop.example" ||
					!exim.ValidID(m.ID) {
					t.Errorf("%+v", m)
				}
			}
		})
	}
}

// TestGatewayWithoutLog is about an upstream whose log nobody follows: the gateway's word is the history.
func TestGatewayWithoutLog(t *testing.T) {
	f := newFront(t, "", func(c *config.Config) {
		c.Gateway.UpstreamLog, c.Exim.Log = false, filepath.Join(filepath.Dir(c.Store.Path), "empty")
	})
	if err := f.send("ann@osm.test", "Subject: a mark\r\nMessage-ID: <1@osm.test>", "b@far.example", "c@far.example"); err != nil {
		t.Fatal(err)
	}
	f.until("the message is in the history", func() bool { return len(f.arrived()) == 1 })
	m := f.arrived()[0]
	if m.Login != "ann@osm.test" || m.Subject != "a mark" || len(m.Recipients) != 2 || m.Verdict.Rule != "marked" || m.Class != osm.Login {
		t.Errorf("%+v", m)
	}
	if err := f.send("ann@osm.test", "Subject: filtered", "b@far.example"); err == nil || !strings.Contains(err.Error(), "not this content") {
		t.Errorf("sent with %v", err)
	}
	f.until("what the upstream has refused is in the history", func() bool {
		f.mu.Lock()
		defer f.mu.Unlock()
		return slices.ContainsFunc(f.attempts, func(d osm.Delivery) bool {
			return d.Outcome == osm.Failed && d.Code == 550 && d.Text == "not this content"
		})
	})
}

// TestGatewayTellsOfItsUpstream has one that nobody listens at: osm doctor and the page tell it.
func TestGatewayTellsOfItsUpstream(t *testing.T) {
	nobody, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody.Close()
	f := newFront(t, "", func(c *config.Config) { c.Gateway.Upstream = []string{nobody.Addr().String()} })
	if err := f.send("", "Subject: too early", "b@far.example"); err == nil || !strings.Contains(err.Error(), "4.3.2") {
		t.Errorf("sent with %v", err)
	}
	var status web.Status
	if err := f.try(http.MethodGet, "status", nil, &status); err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(status.Notices, func(n string) bool {
		return strings.HasPrefix(n, "gateway: upstream "+nobody.Addr().String()+" does not work: ")
	}) {
		t.Errorf("told %q", status.Notices)
	}
}
