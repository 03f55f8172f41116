package daemon

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"osm"
	"osm/config"
	"osm/exim"
	"osm/hold"
	"osm/lab"
	"osm/policy"
	"osm/web"
)

// within bounds a test that waits for what should happen at once.
func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// world is a private Exim that asks a daemon about all mail, and the outside world.
type world struct {
	*testing.T
	exim *lab.Exim
	sink *lab.Sink
	cfg  config.Config
	stop func()
}

// newWorld starts Exim, which asks about SMTP and local submissions, and without an answer lets mail go its way or,
// closed, wait. A rule holds what has "hold" in its subject.
func newWorld(t *testing.T, closed bool) *world {
	if err := lab.Missing(); err != nil {
		t.Skip(err)
	}
	ctx := within(t)
	binary, err := exim.FindBinary("/")
	if err != nil {
		t.Skip(err)
	}
	user, err := exim.UserOf(ctx, binary)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, cfg: config.Defaults()}
	w.cfg.Web.Listen = ""
	if w.sink, err = lab.NewSink(lab.SinkOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.sink.Close() })
	sockets, err := os.MkdirTemp("", "osm-socket-") // where Exim's user can go
	if err == nil {
		err = os.Chmod(sockets, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(sockets) })
	w.cfg.Policy.Socket, w.cfg.Control.Socket = filepath.Join(sockets, "policy"), filepath.Join(sockets, "control")
	s, err := exim.Snippets{Socket: w.cfg.Policy.Socket, EximUID: user.UID, Closed: closed}.Ready()
	if err != nil {
		t.Fatal(err)
	}
	main := fmt.Sprintf("acl_smtp_data = osm_check_%s\nacl_not_smtp = osm_check_%s\n", exim.AtData, exim.AtNotSMTP)
	w.exim, err = lab.Start(ctx, lab.Options{Sink: w.sink, Selector: lab.SelectorBest, Main: main,
		ACL: s.ACLs() + s.Around(exim.AtData, "") + s.Around(exim.AtNotSMTP, "")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.exim.Stop(); err != nil {
			t.Error(err)
		}
	})
	w.cfg.Exim.Log = w.exim.LogPath()
	w.cfg.Store.Path = filepath.Join(t.TempDir(), "osm.db")
	w.cfg.Hold.Walk = osm.Duration(time.Second)
	w.cfg.Rules = []policy.Rule{{Name: "on-trial", When: `subject contains "hold"`, Action: osm.Hold, Key: osm.KeySender}}
	return w
}

func (w *world) queue() *exim.Queue {
	return &exim.Queue{Spool: filepath.Join(w.exim.Folder(), "spool"), Command: w.exim.Command}
}

// serve starts the daemon, and returns when it can be asked.
func (w *world) serve() { w.Helper(); w.begin(Options{}) }

// begin is serve with other options.
func (w *world) begin(o Options) {
	w.Helper()
	o.Queue = func(context.Context) (*exim.Queue, error) { return w.queue(), nil }
	d, err := New(w.cfg, o)
	if err != nil {
		w.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	stopped := false
	w.stop = func() {
		if cancel(); !stopped {
			stopped = true
			if err := <-ended; err != nil {
				w.Error(err)
			}
		}
	}
	w.Cleanup(w.stop)
	w.until("the daemon answers", func() bool {
		conn, err := net.Dial("unix", w.cfg.Policy.Socket)
		if err == nil {
			conn.Close()
		}
		return err == nil && w.try(http.MethodGet, "status", nil, nil) == nil
	})
}

// until waits for something to become true.
func (w *world) until(what string, ready func() bool) {
	w.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	end := within(w.T).Done()
	for !ready() {
		select {
		case <-tick.C:
		case <-end:
			log, _ := os.ReadFile(w.exim.LogPath())
			w.Fatalf("waiting until %s took too long; Exim's log ends in\n%s", what, log[max(0, len(log)-4000):])
		}
	}
}

// try asks the daemon, as the osm command does.
func (w *world) try(method, path string, body, answer any) error {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context,
		_, _ string) (net.Conn, error) {
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
	if response.StatusCode != http.StatusOK {
		said, _ := io.ReadAll(response.Body)
		return fmt.Errorf("%s: %s", response.Status, said)
	}
	if answer == nil {
		return nil
	}
	return json.NewDecoder(response.Body).Decode(answer)
}

func (w *world) order(o web.HeldOrder) (a web.HeldAnswer) {
	w.Helper()
	if err := w.try(http.MethodPost, "held/"+string(o.What), o, &a); err != nil {
		w.Fatalf("%+v: %v", o, err)
	}
	return a
}

func (w *world) held(query string) (h web.Held) {
	w.Helper()
	if err := w.try(http.MethodGet, "held?"+query, nil, &h); err != nil {
		w.Fatal(err)
	}
	return h
}

// untilState waits until a message is in a state.
func (w *world) untilState(id string, want hold.State) {
	w.Helper()
	w.until(fmt.Sprintf("%s is %s", id, want), func() bool {
		var m web.HeldOne
		return w.try(http.MethodGet, "held/"+id, nil, &m) == nil && m.State == want
	})
}

// letter has everything that a queue could damage.
const letter = "From: x@osm.test\r\nTo: %[1]s@far.example\r\nSubject: hold %[1]s\r\n\tfolded \r\n\r\nDear  you,  \r\n.\r\n..dots\r\n\tcode 123456, caf\xc3\xa9\r\n\r\n\r\nlast line\r\n"

// send gives Exim a signed letter to NAME@far.example, and returns its id and its text.
func (w *world) send(name string) (id, text string) {
	w.Helper()
	_, key, err := ed25519.GenerateKey(bytes.NewReader(make([]byte, 32)))
	if err != nil {
		w.Fatal(err)
	}
	var signed bytes.Buffer
	if err := dkim.Sign(&signed, strings.NewReader(fmt.Sprintf(letter, name)), &dkim.SignOptions{Domain: "osm.test",
		Selector: "s", Signer: key,
		HeaderKeys: []string{"From", "To", "Subject"}}); err != nil {
		w.Fatal(err)
	}
	ctx := within(w.T)
	if err := w.exim.Deliver(ctx, w.exim.SMTP(), lab.Caller{}, "x@osm.test", []string{name + "@far.example"},
		signed.String()); err != nil {
		w.Fatal(err)
	}
	line, err := w.exim.WaitLog(ctx, "<= x@osm.test", "hold "+name)
	if err != nil {
		w.Fatal(err)
	}
	fields := strings.Fields(line)
	at := slices.Index(fields, "<=")
	return fields[at-1], signed.String()
}

// arrives wants a letter to be at its receiver as it was written, with its signature.
func (w *world) arrives(name, text string) {
	w.Helper()
	m, err := w.sink.Wait(within(w.T), func(r *lab.Received) bool {
		return slices.Contains(r.Recipients,
			name+"@far.example")
	})
	if err != nil {
		w.Fatal(err)
	}
	if !strings.HasSuffix(string(m.Data), text) {
		w.Errorf("what arrives is\n%q\nnot\n%q", m.Data, text)
	}
	public := ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey)
	found, err := dkim.VerifyWithOptions(bytes.NewReader(m.Data),
		&dkim.VerifyOptions{LookupTXT: func(string) ([]string, error) {
			return []string{"v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(public)}, nil
		}})
	if err != nil || len(found) != 1 || found[0].Err != nil {
		w.Errorf("the signature: %v, %+v", err, found)
	}
}

func (w *world) inQueue(id string) bool {
	_, err := w.queue().Find(id)
	return err == nil
}

// TestHeldMail holds mail with a real Exim, and takes it out in every way, over restarts of the daemon.
func TestHeldMail(t *testing.T) {
	w := newWorld(t, false)
	w.serve()
	ids, texts := map[string]string{}, map[string]string{}
	for _, name := range []string{"released", "byhand", "removed", "moved", "deleted", "allowed", "sender"} {
		ids[name], texts[name] = w.send(name)
		w.untilState(ids[name], hold.Held)
	}
	h := w.held("by=reason&samples=1&list=10")
	if h.Held != 7 || len(h.Groups) != 1 || h.Groups[0].Name != "on-trial: condition" || len(h.List) != 7 ||
		len(h.Groups[0].Samples) != 1 {
		t.Fatalf("%+v", h)
	}
	if lines := strings.Join(h.Groups[0].Samples[0].Lines, "\n"); strings.Contains(lines, "123456") ||
		!strings.Contains(lines, "code ######, café") {
		t.Errorf("the sample shows %q", lines)
	}

	if a := w.order(web.HeldOrder{What: web.Release, All: true, DryRun: true}); a.Messages != 7 || a.Deed != "" {
		t.Errorf("a dry run: %+v", a)
	}
	if a := w.order(web.HeldOrder{What: web.Release, IDs: []string{ids["released"]}}); a.Done != 1 || a.Deed == "" {
		t.Errorf("the release: %+v", a)
	}
	w.arrives("released", texts["released"])

	w.stop()
	w.exim.Command(within(t), "-Mrm", ids["removed"])
	w.serve()
	w.untilState(ids["released"], hold.Released)
	w.untilState(ids["removed"], hold.Gone)
	var m web.HeldOne
	if err := w.try(http.MethodGet, "held/"+ids["byhand"], nil, &m); err != nil || m.State != hold.Held ||
		m.Rule != "on-trial" || m.Key.Value != "x@osm.test" {
		t.Errorf("after the restart: %+v, %v", m, err)
	}
	if _, err := w.exim.Command(within(t), "-M", ids["byhand"]); err != nil {
		t.Error(err)
	}
	w.untilState(ids["byhand"], hold.Gone)
	w.arrives("byhand", texts["byhand"])

	if _, err := w.exim.Command(within(t), "-MG", exim.HoldQueue, ids["moved"]); err != nil {
		t.Error(err)
	}
	w.until("the move to another queue is noticed", func() bool {
		return w.try(http.MethodGet, "held/"+ids["moved"], nil, &m) == nil && m.Queue == exim.HoldQueue &&
			m.State == hold.Held
	})
	if a := w.order(web.HeldOrder{What: web.Release, Verdict: m.Verdict}); a.Done != 1 || a.Messages != 1 {
		t.Errorf("%+v", a)
	}
	w.arrives("moved", texts["moved"])

	w.deletes(ids["deleted"])

	if err := w.try(http.MethodGet, "held/"+ids["sender"], nil, &m); err != nil {
		t.Fatal(err)
	}
	if err := w.try(http.MethodPost, "held/release", web.HeldOrder{What: web.Release, Token: m.Token + "x"}, nil); err == nil {
		t.Error("a wrong token releases")
	}
	if a := w.order(web.HeldOrder{What: web.Release, Token: m.Token}); a.Done != 1 {
		t.Errorf("%+v", a)
	}
	w.arrives("sender", texts["sender"])

	a := w.order(web.HeldOrder{What: web.Release, Key: osm.Key{Kind: osm.KeySender, Value: "X@osm.test"}, Allow: true})
	if a.Messages != 1 || len(a.More) != 1 || a.More[0].What != policy.Allow {
		t.Errorf("%+v", a)
	}
	w.arrives("allowed", texts["allowed"])
	_, text := w.send("later")
	w.arrives("later", text)
	if h := w.held("by=key"); h.Held != 0 || h.Others < 7 {
		t.Errorf("in the end: %+v", h)
	}
}

// deletes takes one deletion back and carries the next one out.
func (w *world) deletes(id string) {
	w.Helper()
	a := w.order(web.HeldOrder{What: web.Delete, IDs: []string{id}})
	if a.Due.IsZero() || !w.inQueue(id) {
		w.Errorf("the deletion does not wait: %+v", a)
	}
	if err := w.try(http.MethodPost, "audit/"+a.Deed+"/undo", nil, nil); err != nil {
		w.Error(err)
	}
	w.untilState(id, hold.Held)
	if err := w.try(http.MethodPost, "audit/"+a.Deed+"/undo", nil, nil); err == nil {
		w.Error("it can be taken back twice")
	}
	if a := w.order(web.HeldOrder{What: web.Delete, IDs: []string{id}, Now: true}); a.Done != 1 || w.inQueue(id) {
		w.Errorf("it is not deleted at once: %+v", a)
	}
}

// TestHeldForWantOfAnAnswer: what waited because osm was down is judged when it is back: released, or held as it
// would have been.
func TestHeldForWantOfAnAnswer(t *testing.T) {
	w := newWorld(t, true)
	for _, name := range []string{"good", "hold"} {
		input := fmt.Sprintf("From: x@osm.test\nTo: %s@far.example\nSubject: %[1]s\n\nText\n", name)
		if err := w.exim.Submit(within(t), lab.Submission{User: "www-data", Args: []string{"-t", "-i", "-f",
			"x@osm.test"}, Input: input}); err != nil {
			t.Fatal(err)
		}
	}
	ids, err := w.exim.Queued("")
	if err != nil || len(ids) != 2 {
		t.Fatalf("%v wait, %v", ids, err)
	}
	w.serve()
	if _, err := w.sink.Wait(within(t), func(r *lab.Received) bool {
		return slices.Contains(r.Recipients,
			"good@far.example")
	}); err != nil {
		t.Error(err)
	}
	var h web.Held
	w.until("the other one is held", func() bool { h = w.held("by=key&list=9"); return h.Held == 1 })
	if len(h.List) != 1 || h.List[0].Rule != "on-trial" || h.List[0].Subject != "hold" || !w.inQueue(h.List[0].ID) {
		t.Errorf("%+v", h)
	}
	if w.sink.To("hold@far.example") != 0 {
		t.Error("it was released with the other one")
	}
}

// TestSpoolIsTheTruth: with a new database, held mail is found in the spool; it expires there as configured.
func TestSpoolIsTheTruth(t *testing.T) {
	w := newWorld(t, false)
	w.serve()
	id, text := w.send("found")
	w.untilState(id, hold.Held)
	var before, after web.HeldOne
	if err := w.try(http.MethodGet, "held/"+id, nil, &before); err != nil {
		t.Fatal(err)
	}
	w.stop()
	w.cfg.Store.Path = filepath.Join(t.TempDir(), "new.db")
	w.serve()
	w.untilState(id, hold.Held)
	if err := w.try(http.MethodGet, "held/"+id, nil, &after); err != nil || after.Verdict != before.Verdict ||
		after.Sender != "x@osm.test" ||
		after.Size == 0 || after.Subject != "hold found\tfolded" {
		t.Errorf("%+v, %v", after, err)
	}
	w.stop()
	w.cfg.Hold.Keep, w.cfg.Hold.Expire = osm.Duration(time.Nanosecond), hold.ExpireRelease
	w.cfg.Store.Path = filepath.Join(t.TempDir(), "third.db")
	w.serve()
	w.untilState(id, hold.Expired)
	w.arrives("found", text)
}
