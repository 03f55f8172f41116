package daemon

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"osm"
	"osm/config"
	"osm/policy"
	"osm/store"
	"osm/tail"
	"osm/web"
)

// running is a daemon in this process, on files of the test's own.
type running struct {
	t      *testing.T
	dir    string
	cfg    config.Config
	log    *logWriter
	seen   chan osm.Message // every arrival
	stop   func()
	client http.Client
}

// start runs a daemon until the test ends, or until stop is called. change may alter its configuration.
func start(t *testing.T, dir string, change func(*config.Config)) *running {
	t.Helper()
	d := &running{t: t, dir: dir, cfg: config.Defaults(), seen: make(chan osm.Message, 100_000)}
	d.cfg.Web.Listen = ""
	d.cfg.Exim.Log, d.cfg.Store.Path = filepath.Join(dir, "mainlog"), filepath.Join(dir, "osm.db")
	d.cfg.Control.Socket, d.cfg.Policy.Socket = filepath.Join(dir, "c.sock"), filepath.Join(dir, "p.sock")
	d.cfg.Tail.Poll, d.cfg.Store.SaveAfter = osm.Duration(2*time.Millisecond), osm.Duration(10*time.Millisecond)
	if change != nil {
		change(&d.cfg)
	}
	d.log = &logWriter{t: t, path: d.cfg.Exim.Log, at: time.Now().Add(-time.Minute).Truncate(time.Second)}
	d.log.write(1)
	daemon, err := New(d.cfg, Options{Start: tail.StartOldest, Watch: Watch{Arrival: func(m *osm.Message) { d.seen <- *m }},
		Key: filepath.Join(dir, "rewrite.key"), Load: func() (*config.Loaded, error) { return config.Load(filepath.Join(dir, "osm.toml")) }})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- daemon.Run(ctx) }()
	stopped := false
	d.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("the daemon ended with %v", err)
		}
	}
	t.Cleanup(d.stop)
	d.client.Transport = &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", d.cfg.Control.Socket)
	}}
	d.message(d.log.last)
	return d
}

// message waits for the arrival of a message.
func (d *running) message(id string) osm.Message {
	d.t.Helper()
	deadline := time.After(30 * time.Second)
	for {
		select {
		case m := <-d.seen:
			if m.ID == id {
				return m
			}
		case <-deadline:
			d.t.Fatalf("message %s is not seen", id)
		}
	}
}

// control asks the control socket; it waits until the socket is there.
func (d *running) control(method, path string, body, answer any) error {
	d.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		d.t.Fatal(err)
	}
	request, err := http.NewRequest(method, "http://osm/api/v1/"+path, bytes.NewReader(text))
	if err != nil {
		d.t.Fatal(err)
	}
	response, err := d.client.Do(request)
	for deadline := time.Now().Add(30 * time.Second); err != nil && time.Now().Before(deadline); response, err = d.client.Do(request) {
		request.Body = io.NopCloser(bytes.NewReader(text))
	}
	if err != nil {
		d.t.Fatal(err)
	}
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s", all)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(all, answer)
}

// ask puts one question to the policy socket.
func (d *running) ask(format string, args ...any) string {
	d.t.Helper()
	c, err := net.Dial("unix", d.cfg.Policy.Socket)
	for deadline := time.Now().Add(30 * time.Second); err != nil && time.Now().Before(deadline); {
		c, err = net.Dial("unix", d.cfg.Policy.Socket)
	}
	if err != nil {
		d.t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprintf(c, "request=smtpd_access_policy\n"+format+"\n\n", args...)
	c.(*net.UnixConn).CloseWrite()
	all, err := io.ReadAll(c)
	if err != nil {
		d.t.Fatal(err)
	}
	return strings.TrimSpace(string(all))
}

func TestListsTakeEffectAtOnce(t *testing.T) {
	d := start(t, t.TempDir(), nil)
	question := "protocol_state=DATA\nsasl_username=bob@here.example\nsender=bob@here.example\nrecipient=x@far.example\nqueue_id=%s"
	if got := d.ask(question, messageID(d.log.at, 70001)); got != "action=DUNNO" {
		t.Fatalf("before: %q", got)
	}
	order := web.Order{What: policy.Block, Key: osm.Key{Kind: osm.KeyLogin, Value: "Bob@here.example"}, Reason: "spam", For: osm.Duration(time.Hour)}
	var done policy.Deed
	if err := d.control(http.MethodPost, "orders", order, &done); err != nil {
		t.Fatal(err)
	}
	if got := d.ask(question, messageID(d.log.at, 70002)); !strings.HasPrefix(got, "action=REJECT 5.7.1 login:bob@here.example: spam (V") {
		t.Errorf("blocked: %q", got)
	}
	for _, state := range []string{"AUTH", "MAIL"} {
		if got := d.ask("protocol_state=%s\nsasl_username=bob@here.example", state); !strings.HasPrefix(got, "action=REJECT") {
			t.Errorf("blocked, at %s: %q", state, got)
		}
	}
	if err := d.control(http.MethodPost, "audit/"+done.ID+"/undo", nil, nil); err != nil {
		t.Fatal(err)
	}
	if got := d.ask(question, messageID(d.log.at, 70003)); got != "action=DUNNO" {
		t.Errorf("undone: %q", got)
	}
	if err := d.control(http.MethodPost, "orders", web.Order{What: "dance"}, nil); err == nil {
		t.Error("an unknown order is taken")
	}
}

func TestListsSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	d := start(t, dir, nil)
	order := web.Order{What: policy.Block, Key: osm.Key{Kind: osm.KeyNetwork, Value: "203.0.113.0/24"}}
	if err := d.control(http.MethodPost, "orders", order, nil); err != nil {
		t.Fatal(err)
	}
	d.stop()
	d = start(t, dir, nil)
	if got := d.ask("protocol_state=CONNECT\nclient_address=203.0.113.9"); !strings.HasPrefix(got, "action=REJECT") {
		t.Errorf("after a restart: %q", got)
	}
	var audit web.Audit
	if err := d.control(http.MethodGet, "audit", nil, &audit); err != nil || len(audit.Deeds) != 1 || audit.Deeds[0].By == "" {
		t.Errorf("audit %+v, %v", audit, err)
	}
}

// TestCountedOnce: a message that was asked about and comes again in the log is one message, with the verdict it got.
func TestCountedOnce(t *testing.T) {
	limit := policy.Rule{Name: "three", Key: osm.KeyLogin, Window: osm.Duration(time.Hour), Limit: 3, Action: osm.Hold}
	d := start(t, t.TempDir(), func(c *config.Config) { c.Rules = []policy.Rule{limit} })
	question := "protocol_state=DATA\nsasl_username=user3@here.example\nsender=user3@here.example\nrecipient=to@far.example\nqueue_id=%s"
	for n := range 3 {
		d.log.n = 7010 + n*7 // user3's
		id := messageID(d.log.at, d.log.n)
		for range 2 {
			if got := d.ask(question, id); got != "action=DUNNO" {
				t.Fatalf("message %d: %q", n, got)
			}
		}
		d.log.write(1)
		if m := d.message(id); m.Verdict.Passive || m.Verdict.Stops() {
			t.Errorf("message %d in the log: %+v", n, m.Verdict)
		}
	}
	if got := d.ask(question, messageID(d.log.at, 80000)); !strings.HasPrefix(got, "action=HOLD") {
		t.Errorf("the fourth: %q", got)
	}
}

// TestRefusedIsInTheHistory: Exim logs no arrival of what was refused.
func TestRefusedIsInTheHistory(t *testing.T) {
	d := start(t, t.TempDir(), func(c *config.Config) {
		c.Rules = []policy.Rule{{Name: "never", When: `subject contains "lottery"`, Action: osm.Reject, Text: "no lotteries"}}
	})
	id := messageID(d.log.at, 90000)
	got := d.ask("protocol_state=DATA\nsasl_username=a@here.example\nsender=a@here.example\nrecipient=x@far.example\nqueue_id=%s\nexim_subject_b64=bG90dGVyeQ==", id)
	if !strings.HasPrefix(got, "action=REJECT 5.7.1 no lotteries (V") {
		t.Fatalf("answer %q", got)
	}
	if m := d.message(id); m.Verdict.Action != osm.Reject || m.Verdict.Passive {
		t.Errorf("verdict %+v", m.Verdict)
	}
	d.stop()
	r, err := store.OpenReader(d.cfg.Store.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	page, err := r.Search(context.Background(), store.Filter{ID: id})
	if err != nil || len(page.Messages) != 1 || page.Messages[0].Verdict.Rule != "never" || page.Messages[0].Subject != "lottery" {
		t.Errorf("%+v, %v", page, err)
	}
}

func TestShadowAnswersNothing(t *testing.T) {
	d := start(t, t.TempDir(), func(c *config.Config) {
		c.Policy.Mode = policy.Shadow
		c.Rules = []policy.Rule{{Name: "never", When: "true", Action: osm.Reject}}
	})
	d.log.n = 501
	id := messageID(d.log.at, d.log.n)
	if got := d.ask("protocol_state=DATA\nsasl_username=a@here.example\nrecipient=x@far.example\nqueue_id=%s", id); got != "action=DUNNO" {
		t.Errorf("answer %q", got)
	}
	d.log.write(1)
	if m := d.message(id); m.Verdict.Action != osm.Reject || !m.Verdict.Passive {
		t.Errorf("verdict %+v", m.Verdict)
	}
}

func TestReload(t *testing.T) {
	dir := t.TempDir()
	d := start(t, dir, nil)
	question := "protocol_state=DATA\nsasl_username=a@here.example\nrecipient=x@far.example\nqueue_id=%s"
	writeFile(t, dir, "osm.toml", "[[rule]]\nname = \"all\"\nwhen = \"tru\"\naction = \"reject\"\n")
	if err := d.control(http.MethodPost, "reload", nil, nil); err == nil || !strings.Contains(err.Error(), "there is no fact called tru") {
		t.Errorf("a bad file: %v", err)
	}
	if got := d.ask(question, messageID(d.log.at, 70001)); got != "action=DUNNO" {
		t.Errorf("after a bad file: %q", got)
	}
	if _, err := policy.CreateKey(filepath.Join(dir, "rewrite.key")); err != nil {
		t.Fatal(err)
	}
	file := "[[rule]]\nname = \"all\"\nwhen = \"true\"\naction = \"reject\"\n[tail]\npoll = \"1s\"\n[hold]\ngrace = \"1m\"\n[action]\nper_hour = 1\n"
	writeFile(t, dir, "osm.toml", file)
	var r web.Reloaded
	if err := d.control(http.MethodPost, "reload", nil, &r); err != nil || !slices.Equal(r.Changed, []string{"rule", "hold.grace", "action.per_hour"}) ||
		!slices.Contains(r.Restart, "tail.poll") {
		t.Errorf("%+v, %v", r, err)
	}
	if got := d.ask(question, messageID(d.log.at, 70002)); !strings.HasPrefix(got, "action=REJECT") {
		t.Errorf("after the reload: %q", got)
	}
	if got := d.ask("protocol_state=REWRITE\nrecipient=x@far.example\nqueue_id=%s", messageID(d.log.at, 70003)); !strings.HasPrefix(got, "action=REDIRECT r.") {
		t.Errorf("with a key that was made later: %q", got)
	}
	writeFile(t, dir, "osm.toml", "[detect]\nsuspect = 0.1\nstop = 0.1\nsenders = 2000\n[store]\nkeep = \"7d\"\n")
	if err := d.control(http.MethodPost, "reload", nil, &r); err != nil || !slices.Contains(r.Changed, "detect.stop") || !slices.Contains(r.Changed, "store.keep") ||
		!slices.Contains(r.Restart, "detect.senders") {
		t.Errorf("%+v, %v", r, err)
	}
	got := ""
	for i := range 30 { // to somebody else each time
		got = d.ask("protocol_state=DATA\nsasl_username=new@here.example\nclient_address=198.51.100.9\nsender=new@here.example\nrecipient=x"+strconv.Itoa(i)+"@far.example\nqueue_id=%s", messageID(d.log.at, 70100+i))
	}
	if !strings.HasPrefix(got, "action=REJECT") {
		t.Errorf("with a threshold of next to nothing: %q", got)
	}
	writeFile(t, dir, "osm.toml", file)
	if err := d.control(http.MethodPost, "reload", nil, &r); err != nil {
		t.Error(err)
	}
	writeFile(t, dir, "osm.toml", file+"[policy]\nmode = \"shadow\"\n")
	if err := d.control(http.MethodPost, "reload", nil, &r); err != nil || !slices.Equal(r.Changed, []string{"policy.mode"}) {
		t.Errorf("%+v, %v", r, err)
	}
	if got := d.ask(question, messageID(d.log.at, 70004)); got != "action=DUNNO" {
		t.Errorf("in shadow: %q", got)
	}
}

// TestEverySettingHasAName: a reload can name whatever has changed.
func TestEverySettingHasAName(t *testing.T) {
	names := changes("", reflect.ValueOf(config.Config{}), reflect.ValueOf(config.Defaults()))
	for _, want := range []string{"hold.keep", "policy.socket", "detect.suspect"} {
		if !slices.Contains(names, want) {
			t.Errorf("%s is not among %v", want, names)
		}
	}
	for _, name := range names {
		if strings.HasSuffix(name, ".") || strings.Contains(name, "..") {
			t.Errorf("a setting is called %q", name)
		}
	}
}

// TestDamagedDatabase: it is set aside, and the logs are read again into a new one.
func TestDamagedDatabase(t *testing.T) {
	dir := t.TempDir()
	d := start(t, dir, nil)
	d.log.write(100)
	d.message(d.log.last)
	d.stop()
	if err := os.WriteFile(d.cfg.Store.Path, bytes.Repeat([]byte("not a database "), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	d = start(t, dir, nil)
	d.stop()
	aside, err := filepath.Glob(filepath.Join(dir, "osm.db.damaged-*"))
	if err != nil || len(aside) == 0 {
		t.Errorf("the damaged file is not there any more: %v %v", aside, err)
	}
	r, err := store.OpenReader(d.cfg.Store.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	report, err := r.Report(context.Background(), store.ReportQuery{Since: d.log.at.Add(-24 * time.Hour), Until: d.log.at.Add(24 * time.Hour)})
	if err != nil || report.Total.Messages < 101 {
		t.Errorf("%d messages in the new history, want those of the whole log: %v", report.Total.Messages, err)
	}
}

// TestSocketTaken: another program's socket is no reason not to follow the log.
func TestSocketTaken(t *testing.T) {
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, "p.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d := start(t, dir, nil) // waits for the first message
	d.log.write(1)
	d.message(d.log.last)
}

// TestReplayDecidesAsServe: the same log, the same verdicts.
func TestReplayDecidesAsServe(t *testing.T) {
	rules := []policy.Rule{{Name: "twenty", Key: osm.KeyLogin, Window: osm.Duration(time.Hour), Limit: 20, Action: osm.Hold}}
	d := start(t, t.TempDir(), func(c *config.Config) { c.Rules = rules })
	d.log.write(1000)
	live := map[string]osm.Action{}
	for len(live) < 1000 {
		m := <-d.seen
		live[m.ID] = m.Verdict.Action
	}
	d.stop()
	stopped, differ := 0, 0
	err := Replay(context.Background(), d.cfg, ReplayOptions{Paths: []string{d.log.path}, Message: func(m *osm.Message) {
		if m.Verdict.Stops() {
			stopped++
		}
		if action, ok := live[m.ID]; ok && action != m.Verdict.Action {
			differ++
		}
	}})
	if err != nil || stopped == 0 || differ > 0 {
		t.Errorf("%d stopped, %d decided otherwise, %v", stopped, differ, err)
	}
}
