package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"osm"
	"osm/access"
	"osm/config"
	"osm/daemon"
	"osm/exim"
	"osm/lab"
	"osm/policy"
	"osm/sim"
	"osm/tail"
	"osm/web"
)

// hostile is what a stranger writes to harm a page: markup, a script, an escape sequence, characters that turn the writing
// around, and what would be a template.
const hostile = `"'><script>document.title="owned"</script><img src=x onerror=document.title="owned">` + "\x1b[31m\u202egnp.exe\u2066 {{.}} %s"

const password = "correct horse battery"

// world is a server with a past of two weeks, an attack, held mail and hostile texts: a private Exim, the real daemon that
// it asks, and its pages on a real address.
type world struct {
	*testing.T
	exim   *lab.Exim
	sink   *lab.Sink
	cfg    config.Config
	base   string // address of the pages
	users  *access.Access
	logged *logBook
	last   string // id of the last message of the past
}

// logBook keeps what the daemon says.
type logBook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

// lines are those that hold a text.
func (b *logBook) lines(text string) (found []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for line := range strings.Lines(b.text.String()) {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

func newWorld(t *testing.T) *world {
	t.Helper()
	if err := lab.Missing(); err != nil {
		t.Skip(err)
	}
	w := &world{T: t, logged: &logBook{}}
	w.startExim()
	w.configure()
	w.writePast()
	w.startDaemon()
	w.addUsers()
	w.holdMail()
	w.fillLists()
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// ctx bounds what should happen soon.
func (w *world) ctx() context.Context {
	ctx, cancel := context.WithTimeout(w.Context(), time.Minute)
	w.Cleanup(cancel)
	return ctx
}

// startExim starts a private Exim that asks about all mail.
func (w *world) startExim() {
	sockets, err := os.MkdirTemp("", "osm-socket-") // where Exim's user can go
	w.must(err)
	w.Cleanup(func() { os.RemoveAll(sockets) })
	w.must(os.Chmod(sockets, 0o755))
	w.cfg.Policy.Socket, w.cfg.Control.Socket = filepath.Join(sockets, "policy"), filepath.Join(sockets, "control")
	binary, err := exim.FindBinary("/")
	w.must(err)
	user, err := exim.UserOf(w.ctx(), binary)
	w.must(err)
	s, err := exim.Snippets{Socket: w.cfg.Policy.Socket, EximUID: user.UID}.Ready()
	w.must(err)
	w.sink, err = lab.NewSink(lab.SinkOptions{})
	w.must(err)
	w.Cleanup(func() { w.sink.Close() })
	w.exim, err = lab.Start(w.Context(), lab.Options{Sink: w.sink, Selector: lab.SelectorBest,
		Main: fmt.Sprintf("acl_smtp_data = osm_check_%s\n", exim.AtData), ACL: s.ACLs() + s.Around(exim.AtData, "")})
	w.must(err)
	w.Cleanup(func() { w.must(w.exim.Stop()) })
}

// configure writes the daemon's files: a rule that holds what has "hold" in its subject, and one that the page has made.
func (w *world) configure() {
	dir := w.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0") // a port that is free
	w.must(err)
	port := l.Addr().(*net.TCPAddr).Port
	w.must(l.Close())
	w.base = fmt.Sprintf("http://localhost:%d/osm", port)
	text := fmt.Sprintf("[exim]\nlog = %q\n[store]\npath = %q\nsave_after = \"20ms\"\n[tail]\npoll = \"5ms\"\n[policy]\nsocket = %q\n[control]\nsocket = %q\n"+
		"[hold]\nwalk = \"1s\"\n[action]\nwith = [\"list\", \"command\"]\ncommand = [\"/bin/true\", \"{value}\"]\nundo = [\"/bin/true\", \"{value}\"]\n[web]\nlisten = \"127.0.0.1:%d\"\nurl = \"http://localhost:%d\"\nbase_path = \"/osm\"\n"+
		"[[rule]]\nname = \"on-trial\"\nwhen = 'subject contains \"hold\"'\naction = \"hold\"\nkey = \"sender\"\n",
		w.exim.LogPath(), filepath.Join(dir, "osm.db"), w.cfg.Policy.Socket, w.cfg.Control.Socket, port, port)
	own := "[[rule]]\nname = \"newsletters\"\nkey = \"login\"\nlimit = 5000\nwindow = \"24h\"\ncount = \"recipients\"\naction = \"hold\"\nshadow = true\n" +
		"classes = [\"login\", \"bounce\"]\nexcept = [\"account:shop\"]\nlimits = { \"login:a@shop.example\" = 100 }\noff = true\n"
	path := filepath.Join(dir, "osm.toml")
	w.must(errors.Join(os.WriteFile(path, []byte(text), 0o644), os.Mkdir(filepath.Join(dir, "rules.d"), 0o755),
		os.WriteFile(filepath.Join(dir, "rules.d", "50-web.toml"), []byte(own), 0o644)))
	loaded, err := config.Load(path)
	w.must(err)
	w.cfg = loaded.Config
	w.cfg.Alert.From = "osm@osm.test"
}

// writePast puts two weeks of a made-up world, and a stranger's mail, into the log that was rotated before Exim began.
func (w *world) writePast() {
	end := time.Now().Add(-time.Hour)
	start := end.UTC().Truncate(24*time.Hour).AddDate(0, 0, -7)
	made := sim.New(sim.Config{Seed: 3, Accounts: 6, Days: 8, Start: start, LongIDs: true})
	var all, past strings.Builder
	w.must(made.WriteLog(&all, nil))
	last := end.UTC().Format("2006-01-02 15:04:05")
	for line := range strings.Lines(all.String()) {
		if line[:19] < last {
			past.WriteString(line)
		}
	}
	stamp := last + ".500"
	raw := strings.NewReplacer("\x1b", `\033`, `"`, `\"`).Replace(hostile)
	word := strings.NewReplacer(" ", "", ")", "", "(", "", `\"`, "`").Replace(raw) // nothing else gets into an address, a HELO or a login
	for n := range 30 {
		pid := 5000 + n
		id := base62(end.Unix(), 6) + "-" + base62(int64(pid), 11) + "-" + base62(int64(n), 4)
		w.last = id
		fmt.Fprintf(&past, "%s [%d] %s <= \"%s\"@evil.example H=(%s) [192.0.2.66]:4%03d P=esmtpsa A=plain:evil%s S=%d T=\"%s\" for victim%d@far.example\n", stamp, pid, id,
			word, word, n, word, 900+n, strings.Repeat(raw, 1+400*(n/29)), n)
		fmt.Fprintf(&past, "%s [%d] %s ** victim%d@far.example R=dnslookup T=remote_smtp H=%s [198.51.100.9]: SMTP error from remote mail server after RCPT TO:<x>: 550 5.7.1 %s\n",
			stamp, pid, id, n, "mx.far.example", raw)
	}
	w.must(os.WriteFile(w.exim.LogPath()+".1", []byte(past.String()), 0o644))
	w.must(os.Chtimes(w.exim.LogPath()+".1", end, end))
}

// base62 writes a number as Exim's message ids have it: they tell the time and the process.
func base62(n int64, width int) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	text := make([]byte, width)
	for i := range text {
		text[width-1-i] = digits[n%62]
		n /= 62
	}
	return string(text)
}

// startDaemon runs it until the test ends, and waits until it has read everything.
func (w *world) startDaemon() {
	path := filepath.Join(filepath.Dir(w.cfg.Store.Path), "osm.toml")
	read := make(chan struct{})
	var once sync.Once
	d, err := daemon.New(w.cfg, daemon.Options{Logger: slog.New(slog.NewTextHandler(w.logged, nil)), Zone: time.UTC, Start: tail.StartOldest, Version: "test",
		Load: func() (*config.Loaded, error) { return config.Load(path) }, Rules: config.NewRuleFile(path),
		Watch: daemon.Watch{Arrival: func(m *osm.Message) {
			if m.ID == w.last {
				once.Do(func() { close(read) })
			}
		}},
		Queue: func(context.Context) (*exim.Queue, error) {
			return &exim.Queue{Spool: filepath.Join(w.exim.Folder(), "spool"), Command: w.exim.Command}, nil
		}})
	w.must(err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	w.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			w.Errorf("the daemon ended with %v", err)
		}
	})
	select {
	case <-read:
	case <-w.ctx().Done():
		w.Fatalf("the past is not read; the daemon says %v", w.logged.lines(""))
	}
	w.until("the pages are served", func() bool {
		answer, err := http.Get(w.base + "/login")
		if err == nil {
			answer.Body.Close()
		}
		return err == nil && answer.StatusCode == http.StatusOK
	})
}

func (w *world) addUsers() {
	w.users = access.New(access.Options{Path: access.Path(w.cfg.Store.Path), Now: time.Now, Cost: access.Cost{Memory: 64, Time: 1, Threads: 1}})
	w.Cleanup(func() { w.must(w.users.Close()) })
	for _, role := range access.Roles() {
		u := access.NewUser{Name: string(role), Role: role, Password: password}
		if role.Bound() {
			u.Accounts = []string{"nobody-else"}
		}
		w.must(w.users.Add(w.Context(), u, "root"))
	}
}

// holdMail sends what is held, by the real way.
func (w *world) holdMail() {
	for _, name := range []string{"ann", "ben", "cleo", "dan"} {
		text := fmt.Sprintf("From: x@osm.test\r\nTo: %[1]s@far.example\r\nSubject: hold %[1]s %[2]s\r\n\r\nDear %[1]s,\r\n%[2]s\r\n", name,
			strings.ReplaceAll(hostile, "\x1b", ""))
		w.must(w.exim.Deliver(w.ctx(), w.exim.SMTP(), lab.Caller{}, "x@osm.test", []string{name + "@far.example"}, text))
	}
	w.until("four messages are held", func() bool {
		var h web.Held
		return w.ask(http.MethodGet, "held", nil, &h) == nil && h.Held == 4
	})
}

// fillLists blocks, allows and suspends.
func (w *world) fillLists() {
	for _, o := range []web.Order{{What: policy.Block, Key: osm.Key{Kind: osm.KeyClient, Value: "192.0.2.99"}, For: osm.Duration(time.Hour), Reason: hostile},
		{What: policy.Allow, Key: osm.Key{Kind: osm.KeySenderDomain, Value: "friend.example"}, Reason: "our own"}} {
		w.must(w.ask(http.MethodPost, "orders", o, nil))
	}
	w.must(w.ask(http.MethodPost, "suspensions", web.SuspendOrder{What: web.Suspend, Key: osm.Key{Kind: osm.KeyLogin, Value: "gone@osm.test"},
		For: osm.Duration(time.Hour), Reason: "asked for it"}, nil))
}

// until waits for something to become true.
func (w *world) until(what string, ready func() bool) {
	w.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	end := w.ctx().Done()
	for !ready() {
		select {
		case <-tick.C:
		case <-end:
			w.Fatalf("waiting until %s took too long; the daemon says %v", what, w.logged.lines("level=W"))
		}
	}
}

// ask asks the daemon over its control socket, as root does.
func (w *world) ask(method, path string, body, answer any) error {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", w.cfg.Control.Socket)
	}}}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequest(method, "http://osm/api/v1/"+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= 300 {
		return fmt.Errorf("%s: %s, %w", response.Status, all, err)
	}
	if answer == nil {
		return nil
	}
	return json.Unmarshal(all, answer)
}

// places are the pages, with one of each kind of thing.
func (w *world) places() []string {
	var incidents []web.IncidentPage
	w.must(w.ask(http.MethodGet, "incidents", nil, &incidents))
	var held web.Held
	w.must(w.ask(http.MethodGet, "held?list=10", nil, &held))
	var evil web.MessagePage
	w.until("the stranger's messages are in the history", func() bool {
		return w.ask(http.MethodGet, "messages?client=192.0.2.66&limit=50", nil, &evil) == nil && len(evil.Messages) == 30
	})
	if len(incidents) == 0 || len(held.List) == 0 {
		w.Fatalf("%d incidents, %d held", len(incidents), len(held.List))
	}
	long := evil.Messages[0]
	for _, m := range evil.Messages {
		if m.Subject != nil && long.Subject != nil && len(*m.Subject) > len(*long.Subject) {
			long = m
		}
	}
	who := func(kind, value string) string {
		return "/sender?" + url.Values{"kind": {kind}, "value": {value}}.Encode()
	}
	verdict := ""
	if len(incidents[0].Samples) > 0 {
		verdict = incidents[0].Samples[0].Verdict
	}
	return []string{"/", "/incidents", "/incidents?state=all", "/incidents/" + incidents[0].ID, "/held", "/held?kind=sender&value=x%40osm.test",
		"/held/" + held.List[0].ID, "/senders", "/senders?kind=subject&since=7d", "/senders?kind=login&since=7d", who("client", "192.0.2.66"), who("login", long.Login),
		who(incidents[0].Key.Kind.String(), incidents[0].Key.Value), "/messages", "/messages?client=192.0.2.66", "/messages?class=nonsense",
		"/messages?recipient=nobody%40nowhere.example", "/messages/" + long.ID, "/verdicts/" + verdict,
		"/delivery?since=7d", "/rules", "/rules/new", "/rules/new?name=newsletters", "/lists", "/settings", "/health", "/alerts", "/audit", "/users",
		"/users/customer", "/account", "/find?q=" + url.QueryEscape(hostile)}
}
