package action

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gosmtp "github.com/emersion/go-smtp"

	"osm"
	"osm/incident"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// hostile is what a spammer would like to write into alerts.
const hostile = "offer\r\nBcc: victim@x\n\n<script>\x1b[2J\u202e"

func turned(id string, s incident.State) *incident.Incident {
	return &incident.Incident{ID: id, Key: osm.Key{Kind: osm.KeyLogin, Value: "bob" + hostile}, Rule: "stolen-login", State: s, Opened: noon,
		Updated: noon, Action: osm.Reject, Detail: "9 of 9 never mailed before" + hostile, Messages: 9, Recipients: 90, Clients: []string{"192.0.2.1"},
		Findings: []osm.Finding{{Fact: "new-recipients", Value: hostile, Normal: "few"}},
		Samples:  []incident.Sample{{ID: "1xVPOh-0003K5-0B", Sender: hostile, Recipients: []string{hostile}, Subject: hostile}}}
}

func alert() Alert {
	return Alert{ID: "A1", Host: "mx.example", Time: noon, Incidents: []incident.Incident{*turned("I1", incident.Stopped)}}
}

func TestTextIsPrintable(t *testing.T) {
	a := alert()
	for _, text := range append(strings.Split(a.Text(), "\n"), a.Subject()) {
		if osm.Printable(text) != text {
			t.Errorf("not printable: %q", text)
		}
		if strings.HasPrefix(text, "Bcc:") {
			t.Error("a stranger has written a line of the alert")
		}
	}
	if s := a.Subject(); !strings.Contains(s, "stolen-login") || !strings.Contains(s, "bob") || !strings.Contains(s, "is stopped") {
		t.Errorf("the subject does not tell what happened: %q", s)
	}
}

func TestGrouping(t *testing.T) {
	cfg := DefaultConfig()
	cfg.PerHour = 2
	g := NewGrouper(cfg, "mx.example")
	due := func(at time.Time) string {
		a, ok := g.Due(at)
		if !ok {
			return "none"
		}
		return fmt.Sprint(len(a.Incidents)+a.More, " ", a.ID != "")
	}
	if got := due(noon); got != "none" {
		t.Errorf("an alert about nothing: %s", got)
	}
	for i := range 200 {
		g.Turned(turned(fmt.Sprint("I", i), incident.Open), noon.Add(time.Duration(i)*100*time.Millisecond))
	}
	g.Turned(turned("I1", incident.Stopped), noon.Add(30*time.Second)) // told once, as it is by then
	g.Turned(turned("I1", incident.Closed), noon.Add(30*time.Second))  // not among the states that are told
	if got := due(noon.Add(59 * time.Second)); got != "none" {
		t.Errorf("too early: %s", got)
	}
	if got := due(noon.Add(61 * time.Second)); got != "200 true" {
		t.Errorf("a storm is told as %s", got)
	}
	old := turned("I900", incident.Open)
	g.Turned(old, noon.Add(2*time.Hour)) // an old log is no alarm
	if got := due(noon.Add(3 * time.Hour)); got != "none" {
		t.Errorf("an old finding is told: %s", got)
	}
	at := noon.Add(5 * time.Minute)
	told := 0
	for i := range 30 {
		g.Turned(turned(fmt.Sprint("J", i), incident.Open), at)
		at = at.Add(70 * time.Second)
		if due(at) != "none" {
			told++
		}
	}
	if told != 1 { // one went out before
		t.Errorf("%d more alerts within the hour, want 1", told)
	}
}

func TestOutboxTriesAgain(t *testing.T) {
	o := NewOutbox()
	o.Put(alert(), []string{"mail", "run"})
	o.Put(alert(), []string{"mail", "run"}) // the same again
	if n := len(o.Letters()); n != 2 {
		t.Fatalf("%d letters", n)
	}
	first, ok, _ := o.Take(noon)
	second, ok2, _ := o.Take(noon)
	if _, more, _ := o.Take(noon); !ok || !ok2 || more || first.ID == second.ID {
		t.Fatalf("took %v %v", first.ID, second.ID)
	}
	o.Done(first.ID, nil, noon)
	o.Done(second.ID, errors.New("no way"), noon)
	_, ok, next := o.Take(noon)
	if ok || !next.Equal(noon.Add(firstRetry)) {
		t.Fatalf("next %v", next)
	}
	at := noon
	tries := 1
	for {
		_, ok, next := o.Take(at)
		if !ok && next.IsZero() {
			break
		}
		if !ok {
			if next.Sub(at) > longestRetry {
				t.Fatalf("waits %v", next.Sub(at))
			}
			at = next
			continue
		}
		tries++
		o.Done(second.ID, errors.New("no way"), at)
	}
	if tries != mostTries || at.Sub(noon) < 24*time.Hour {
		t.Errorf("given up after %d tries and %v", tries, at.Sub(noon))
	}
	if err := o.Again(second.ID, at); err != nil {
		t.Error(err)
	}
	if _, ok, _ := o.Take(at); !ok {
		t.Error("not sent again")
	}
	if o.Again("nonsense", at) == nil {
		t.Error("a letter that is not there is sent again")
	}
}

func TestOutboxSurvives(t *testing.T) {
	o, again := NewOutbox(), NewOutbox()
	o.Put(alert(), []string{"mail"})
	o.Take(noon) // the program ends while it is being sent
	if err := o.Dirty(func(_ string, blob []byte) {
		if err := again.Restore(blob); err != nil {
			t.Error(err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if l, ok, _ := again.Take(noon); !ok || l.Alert.Incidents[0].ID != "I1" {
		t.Errorf("%+v, %v", l, ok)
	}
	if again.Restore([]byte("{}")) == nil || again.Restore([]byte("x")) == nil {
		t.Error("a damaged letter is restored")
	}
}

func TestWebhook(t *testing.T) {
	answer := 200
	var delivery, body string
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		delivery, body = r.Header.Get("Osm-Delivery"), string(b)
		if got, want := r.Header.Get("Osm-Signature"), Sign("key", noon, b); got != want {
			t.Errorf("signature %q, want %q", got, want)
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(answer)
		fmt.Fprint(w, "said \x1b[31m")
	}))
	defer receiver.Close()
	w := Webhook{URL: receiver.URL, Secret: "key"}
	l := Letter{ID: "A1-webhook-1", Alert: alert()}
	if err := w.post(context.Background(), l); err != nil || delivery != l.ID {
		t.Errorf("%v, delivery %q", err, delivery)
	}
	var back Alert
	if err := json.Unmarshal([]byte(body), &back); err != nil || back.Incidents[0].Key.Value != "bob"+hostile {
		t.Errorf("%v: %s", err, body)
	}
	for code, lasting := range map[int]bool{400: true, 404: true, 410: true, 408: false, 429: false, 500: false, 503: false, 302: false} {
		answer = code
		err := w.post(context.Background(), l)
		if err == nil || isFinal(err) != lasting || strings.Contains(err.Error(), "\x1b") {
			t.Errorf("%d: %q, final %v", code, err, isFinal(err))
		}
	}
	if err := (Webhook{URL: "http://127.0.0.1:1/"}).post(context.Background(), l); err == nil || isFinal(err) {
		t.Errorf("nobody there: %v", err)
	}
}

// script writes a program for the test and returns its path.
func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMail(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	cfg := DefaultConfig()
	cfg.Mail, cfg.Sendmail = []string{"root", "admin@example.org"}, script(t, `printf '%s\n' "$@" > `+out+`.args; cat > `+out)
	a := alert()
	a.Incidents[0].Key.Value = strings.Repeat("ü", 60) + hostile
	way := cfg.Ways("mx.example")[0]
	if err := way.Send(context.Background(), Letter{ID: "A1-mail", Alert: a}); err != nil {
		t.Fatal(err)
	}
	args, _ := os.ReadFile(out + ".args")
	if got, want := string(args), "-i\n-f\nosm@mx.example\n--\nroot\nadmin@example.org\n"; got != want {
		t.Errorf("arguments %q, want %q", got, want)
	}
	f, err := os.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := mail.ReadMessage(bufio.NewReader(f))
	if err != nil {
		t.Fatal(err)
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil || subject != a.Subject() {
		t.Errorf("subject %q, %v", subject, err)
	}
	if len(m.Header) != 9 || m.Header.Get("Bcc") != "" || m.Header.Get("Auto-Submitted") != "auto-generated" {
		t.Errorf("headers %v", m.Header)
	}
	text, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if err != nil || strings.TrimSpace(string(text)) != strings.TrimSpace(a.Text()) {
		t.Errorf("%v: %s", err, text)
	}
}

// TestMailBySMTP hands a mail to a real SMTP server.
func TestMailBySMTP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	sink := &mailSink{}
	server := gosmtp.NewServer(sink)
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	cfg := DefaultConfig()
	cfg.Mail, cfg.SMTP = []string{"root", "admin@example.org"}, l.Addr().String()
	if err := cfg.Ways("mx.example")[0].Send(context.Background(), Letter{ID: "A1-mail", Alert: alert()}); err != nil {
		t.Fatal(err)
	}
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	<-served
	if got, want := strings.Join(sink.said, " "), "osm@mx.example root@mx.example admin@example.org"; got != want {
		t.Errorf("envelope %q, want %q", got, want)
	}
	m, err := mail.ReadMessage(strings.NewReader(sink.text))
	if err != nil || m.Header.Get("Auto-Submitted") != "auto-generated" {
		t.Errorf("%v: %q", err, sink.text)
	}
	if err := cfg.Ways("mx.example")[0].Send(context.Background(), Letter{ID: "A1-mail", Alert: alert()}); err == nil || isFinal(err) {
		t.Errorf("nobody there: %v", err)
	}
}

// mailSink keeps the envelope and the text of one mail.
type mailSink struct {
	said []string
	text string
}

func (s *mailSink) NewSession(*gosmtp.Conn) (gosmtp.Session, error) { return s, nil }
func (s *mailSink) Reset()                                          {}
func (s *mailSink) Logout() error                                   { return nil }
func (s *mailSink) Mail(from string, _ *gosmtp.MailOptions) error {
	s.said = append(s.said, from)
	return nil
}
func (s *mailSink) Rcpt(to string, _ *gosmtp.RcptOptions) error {
	s.said = append(s.said, to)
	return nil
}
func (s *mailSink) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	s.text = string(b)
	return err
}

func TestRun(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	cfg := DefaultConfig()
	cfg.Run = []string{script(t, `echo "$#" > `+out+`.args; cat > `+out), "$(touch /tmp/x)"}
	if err := cfg.run(context.Background(), Letter{ID: "A1-run", Alert: alert()}); err != nil {
		t.Fatal(err)
	}
	var back Alert
	body, _ := os.ReadFile(out)
	if err := json.Unmarshal(body, &back); err != nil || back.ID != "A1" {
		t.Errorf("%v: %s", err, body)
	}
	cfg.Run = []string{script(t, "echo it went wrong; exit 3")}
	if err := cfg.run(context.Background(), Letter{}); err == nil || !strings.Contains(err.Error(), "it went wrong") {
		t.Errorf("%v", err)
	}
}

func TestChatKeepsItsAddress(t *testing.T) {
	err := chat("nonsense://token-123@place", alert())
	if err == nil || strings.Contains(err.Error(), "token-123") {
		t.Errorf("%v", err)
	}
	if got := harmless.Replace("@everyone <b>`x`</b> http://y [z](w)"); strings.ContainsAny(got, "@<>`[") || strings.Contains(got, "://") {
		t.Errorf("%q still means something", got)
	}
}

func TestConfigCheck(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"good":      {func(c *Config) { c.Mail, c.Digest = []string{"root", "a@b.example"}, "07:00" }, ""},
		"option":    {func(c *Config) { c.Mail = []string{"-oX"} }, "mail"},
		"two":       {func(c *Config) { c.Mail = []string{"a@b, c@d"} }, "mail"},
		"sendmail":  {func(c *Config) { c.Mail, c.Sendmail = []string{"root"}, "sendmail" }, "sendmail"},
		"webhook":   {func(c *Config) { c.Webhooks = []Webhook{{URL: "ftp://x"}} }, "webhook"},
		"run":       {func(c *Config) { c.Run = []string{"notify"} }, "run"},
		"state":     {func(c *Config) { c.States = []incident.State{"bored"} }, "states"},
		"per hour":  {func(c *Config) { c.PerHour = 0 }, "per_hour"},
		"digest":    {func(c *Config) { c.Digest = "noon" }, "digest"},
		"long wait": {func(c *Config) { c.GroupWait = osm.Duration(2 * time.Hour) }, "group_wait"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := DefaultConfig()
			c.change(&cfg)
			got := ""
			cfg.Check(func(key, _ string) { got = key })
			if got != c.want {
				t.Errorf("complains about %q, want %q", got, c.want)
			}
		})
	}
}
