package daemon

import (
	"errors"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"osm"
	"osm/config"
	"osm/exim"
	"osm/hold"
	"osm/lab"
	"osm/panel"
	"osm/policy"
	"osm/store"
	"osm/web"
)

// stage is a town whose Exim asks a daemon about all mail.
type stage struct {
	*world
	town *lab.Town
	key  string
	seen map[string]osm.Verdict // by message id
	mu   sync.Mutex
}

// newStage starts Exim. A rule holds what has "hold" in its subject. Nobody answers Exim's questions yet.
func newStage(t *testing.T, way exim.Way, closed bool) *stage {
	if err := lab.Missing(); err != nil {
		t.Skip(err)
	}
	sink, err := lab.NewSink(lab.SinkOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sink.Close() })
	w := &stage{world: &world{T: t, sink: sink, cfg: config.Defaults()}, town: lab.NewTown(3), seen: map[string]osm.Verdict{}}
	w.cfg.Web.Listen = ""
	o := w.town.Options()
	o.Sink, o.Selector, o.Ask, o.AskClosed, o.QueueEvery = sink, lab.SelectorBest, way, closed, 0
	if w.exim, err = lab.Start(within(t), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.exim.Stop(); err != nil {
			t.Error(err)
		}
	})
	dir := t.TempDir()
	w.cfg.Exim.Log, w.cfg.Store.Path = w.exim.LogPath(), filepath.Join(dir, "osm.db")
	w.cfg.Policy.Socket, w.cfg.Control.Socket = w.exim.PolicySocket(), filepath.Join(w.exim.Folder(), "control.sock")
	w.cfg.Hold.Walk = osm.Duration(time.Second)
	w.cfg.Rules = []policy.Rule{{Name: "on-trial", When: `subject contains "hold"`, Action: osm.Hold, Key: osm.KeySender}}
	w.key = filepath.Join(dir, "rewrite.key")
	if way == exim.ByRewrite {
		if _, err := policy.CreateKey(w.key); err != nil {
			t.Fatal(err)
		}
	}
	w.learn(filepath.Join(dir, "past.log"))
	return w
}

func (w *stage) owners() *panel.Panel {
	return panel.Open(panel.DefaultConfig(), w.exim.Root(), time.Now())
}

// learn gives the daemon the town's past, as osm replay --learn does.
func (w *stage) learn(path string) {
	w.Helper()
	f, err := os.Create(path)
	if err == nil {
		err = errors.Join(w.town.WritePast(f, time.Now()), f.Close())
	}
	if err != nil {
		w.Fatal(err)
	}
	history, err := store.Open(w.cfg.Store, time.Now(), nil)
	if err != nil {
		w.Fatal(err)
	}
	err = Replay(within(w.T), w.cfg, ReplayOptions{Paths: []string{path}, Panel: w.owners(), Message: func(m *osm.Message) {
		if m.Verdict.Stops() {
			w.Errorf("in the past, %s would have been stopped: %+v", m.Sender, m.Verdict)
		}
	}, Learned: func(key string, blob []byte) { history.SaveState(DetectState+key, slices.Clone(blob)) }})
	if err = errors.Join(err, history.Flush(time.Now(), nil), history.Close()); err != nil {
		w.Fatal(err)
	}
}

// serve starts the daemon, and returns when it can be asked.
func (w *stage) serve() {
	w.Helper()
	w.begin(Options{Panel: w.owners(), Key: w.key, Watch: Watch{Arrival: func(m *osm.Message) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.seen[m.ID] = m.Verdict
	}}})
}

// count is how many messages the daemon has seen that are like this.
func (w *stage) count(like func(osm.Verdict) bool) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, v := range w.seen {
		if like(v) {
			n++
		}
	}
	return n
}

// first is the beginning of the town's life, as fast as it goes.
func (w *stage) first(a lab.Attack, span time.Duration) iter.Seq2[time.Duration, *lab.Letter] {
	return func(yield func(time.Duration, *lab.Letter) bool) {
		for at, l := range w.town.Letters(a) {
			if at > span || !yield(0, l) {
				return
			}
		}
	}
}

// outside are those recipients of a letter that must get it.
func outside(l *lab.Letter) (all []string) {
	for _, r := range l.Recipients {
		kind, _, _ := strings.Cut(r, ".")
		if !slices.Contains([]string{"gone", "full", "grey", "busy"}, kind) && !strings.HasSuffix(r, ".test") {
			all = append(all, r)
		}
	}
	return all
}

func (w *stage) arrived(recipients []string) bool {
	return !slices.ContainsFunc(recipients, func(r string) bool { return w.sink.To(r) == 0 })
}

// leaks are how many recipients of each attack may be reached before it is stopped: some times more than it usually takes
// (make leak prints that for many such attacks), for up to sixteen messages are on their way at once here.
var leaks = map[lab.Scene]int{lab.Stolen: 25, lab.Hacked: 10, lab.Planted: 25}

// TestActive: three attacks are stopped by a real Exim while everybody else's mail flows, and held mail comes out as it
// was.
func TestActive(t *testing.T) {
	for _, way := range []exim.Way{exim.ByACL, exim.ByRewrite} {
		t.Run(string(way), func(t *testing.T) {
			w := newStage(t, way, false)
			w.serve()
			w.attacked()
			id, text := w.send("released")
			w.untilState(id, hold.Held)
			if w.sink.To("released@far.example") > 0 {
				t.Error("a held message has arrived")
			}
			if a := w.order(web.HeldOrder{What: web.Release, IDs: []string{id}}); a.Done != 1 {
				t.Errorf("the release: %+v", a)
			}
			w.arrives("released", text)
		})
	}
}

// attacked plays the attacks among ordinary mail, and looks at what came through.
func (w *stage) attacked() {
	w.Helper()
	var mu sync.Mutex
	var wanted []string
	spam := map[lab.Scene][]string{}
	attack := lab.Attack{Login: 2 * time.Second, Script: 2 * time.Second, Local: 2 * time.Second}
	w.exim.Play(within(w.T), w.first(attack, 12*time.Second), func(l *lab.Letter, err error) {
		mu.Lock()
		defer mu.Unlock()
		switch {
		case l.Scene.Spam():
			spam[l.Scene] = append(spam[l.Scene], outside(l)...)
		case l.Caller.Login == lab.StolenLogin: // its own mail may wait with the thief's
		case err != nil:
			w.Errorf("%s from %s is refused: %v", l.Scene, l.Sender, err)
		case l.Scene != lab.Forwarded:
			wanted = append(wanted, outside(l)...)
		}
	})
	w.until("all wanted mail has arrived", func() bool { return w.arrived(wanted) })
	w.untilOnlyHeld()
	if w.count(func(v osm.Verdict) bool {
		return v.Stops() && v.Key == osm.Key{Kind: osm.KeyScript, Value: lab.HackedFolder}
	}) == 0 {
		w.Error("the hacked script is stopped, but not charged with it")
	}
	for scene, most := range leaks {
		reached := 0
		for _, r := range spam[scene] {
			reached += min(w.sink.To(r), 1)
		}
		w.Logf("%s: %d of %d recipients reached", scene, reached, len(spam[scene]))
		if reached > most || len(spam[scene]) < 2*most {
			w.Errorf("%s reached %d of %d recipients, want at most %d", scene, reached, len(spam[scene]), most)
		}
	}
}

// untilOnlyHeld waits until Exim has tried to deliver everything that is not held.
func (w *stage) untilOnlyHeld() {
	w.Helper()
	ctx := within(w.T)
	w.until("only held mail is left in the queue", func() bool {
		if err := w.exim.QueueRun(ctx); err != nil {
			w.Fatal(err)
		}
		for m, err := range w.exim.Queue().Messages(ctx) {
			full := err == nil && slices.ContainsFunc(m.Recipients, func(r string) bool { return strings.HasPrefix(r, "full.") })
			if err != nil || !m.Held() && !full {
				return false
			}
		}
		return true
	})
}

// thief sends spam with the stolen password.
func (w *stage) thief(n int) (sent []*lab.Letter, errs []error) {
	w.Helper()
	for _, l := range w.town.Letters(lab.Attack{Login: time.Nanosecond}) {
		if len(sent) == n {
			return sent, errs
		}
		if l.Scene == lab.Stolen {
			sent, errs = append(sent, l), append(errs, w.exim.Send(within(w.T), l, time.Now()))
		}
	}
	return sent, errs
}

// TestActiveDown: without osm mail flows, and what was sent meanwhile counts when it is back.
func TestActiveDown(t *testing.T) {
	for _, way := range []exim.Way{exim.ByACL, exim.ByRewrite} {
		t.Run(string(way), func(t *testing.T) {
			w := newStage(t, way, false)
			w.serve()
			w.stop()
			const meanwhile = 25
			sent, errs := w.thief(meanwhile)
			for i, l := range sent {
				if errs[i] != nil {
					t.Errorf("without osm: %v", errs[i])
				}
				w.until("spam has arrived that nobody stopped", func() bool { return w.arrived(outside(l)) })
			}
			w.serve()
			w.until("the log is read", func() bool { return w.count(func(v osm.Verdict) bool { return v.Passive }) >= meanwhile })
			if n := w.count(func(v osm.Verdict) bool { return v.Stops() }); n < meanwhile/2 {
				t.Errorf("%d of %d spam messages are noticed in the log", n, meanwhile)
			}
			asked := func(v osm.Verdict) bool { return !v.Passive } // lines of what came meanwhile may still follow
			before := w.count(asked)
			after, _ := w.thief(3)
			w.until("what is sent now is seen", func() bool { return w.count(asked) >= before+3 })
			if n := w.count(func(v osm.Verdict) bool { return v.Stops() && !v.Passive }); n != 3 {
				t.Errorf("%d of 3 are stopped when osm is back", n)
			}
			w.untilOnlyHeld()
			for _, l := range after {
				if len(outside(l)) > 0 && w.arrived(outside(l)) {
					t.Errorf("spam to %s has arrived", l.Recipients)
				}
			}
		})
	}
}

// TestActiveClosed: where mail is to wait without osm, it does, and goes when osm is back.
func TestActiveClosed(t *testing.T) {
	for _, way := range []exim.Way{exim.ByACL, exim.ByRewrite} {
		t.Run(string(way), func(t *testing.T) {
			w := newStage(t, way, true)
			ctx := within(t)
			err := w.exim.Deliver(ctx, w.exim.SMTP(), lab.Caller{}, "x@osm.test", []string{"smtp@far.example"},
				"Subject: x\n\nBody\n")
			if way == exim.ByACL && (err == nil || !strings.Contains(err.Error(), "451")) || way == exim.ByRewrite && err != nil {
				t.Errorf("over SMTP without osm: %v", err)
			}
			if err := w.exim.Submit(ctx, lab.Submission{User: "shop", Dir: "/home/shop/public_html",
				Input: "To: script@far.example\nSubject: x\n\nBody\n"}); err != nil {
				t.Errorf("a script's mail without osm: %v", err)
			}
			w.untilOnlyHeld()
			if w.sink.To("smtp@far.example")+w.sink.To("script@far.example") > 0 {
				t.Error("mail has gone out that should have waited")
			}
			w.serve()
			wait := []string{"script@far.example"}
			if way == exim.ByRewrite {
				wait = append(wait, "smtp@far.example")
			}
			w.until("what waited has gone out", func() bool {
				if err := w.exim.QueueRun(ctx); err != nil && ctx.Err() == nil {
					t.Fatal(err)
				}
				return w.arrived(wait)
			})
			w.until("the queue is empty", func() bool { // the sink has a message before Exim's queue is rid of it
				left := 0
				for range w.exim.Queue().Places(ctx) {
					left++
				}
				return left == 0
			})
		})
	}
}
