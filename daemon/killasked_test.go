package daemon

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"osm/exim"
	"osm/hold"
	"osm/lab"
	"osm/store"
	"osm/web"
)

// TestKilledWhileAsked kills the daemon with SIGKILL again and again while a real Exim asks it about all mail. No message is
// lost or doubled, in the queue or in the history; what was held stays held, and can be released in the end; without an
// answer a message goes its way, or waits, as configured.
func TestKilledWhileAsked(t *testing.T) {
	program := build(t)
	for name, closed := range map[string]bool{"fail-open": false, "fail-closed": true} {
		t.Run(name, func(t *testing.T) {
			w := &killed{world: newWorld(t, closed), closed: closed, program: program}
			w.configure()
			stop := w.traffic()
			for range 5 {
				w.start()
				w.untilSent(30)
				w.kill()
				w.untilSent(8)
			}
			w.start()
			w.untilSent(10)
			stop()
			w.settle()
			w.history()
			w.releaseAll()
			w.kill()
		})
	}
}

// killed is a world whose daemon is a process of its own.
type killed struct {
	*world
	closed        bool
	program, conf string
	daemon        *exec.Cmd
	number, sent  atomic.Int64
	mu            sync.Mutex
	accepted      []string // recipients of letters that Exim took
}

func (w *killed) configure() {
	w.conf = writeFile(w.T, w.TempDir(), "osm.toml", fmt.Sprintf("exim.log = %q\nexim.binary = %q\nstore.path = %q\nstore.save_after = \"20ms\"\n"+
		"control.socket = %q\npolicy.socket = %q\nhold.walk = \"1s\"\nweb.listen = \"\"\n[[rule]]\nname = \"on-trial\"\n"+
		"when = 'subject contains \"hold\"'\naction = \"hold\"\nkey = \"sender\"\n",
		w.cfg.Exim.Log, w.exim.Binary(), w.cfg.Store.Path, w.cfg.Control.Socket, w.cfg.Policy.Socket))
}

// start returns when the daemon answers.
func (w *killed) start() {
	w.Helper()
	w.daemon = exec.Command(w.program, "serve", "-c", w.conf)
	w.daemon.Stderr = os.Stderr
	if err := w.exim.Start(w.daemon); err != nil {
		w.Fatal(err)
	}
	daemon := w.daemon.Process
	w.Cleanup(func() { daemon.Kill() }) // it may have ended
	w.until("the daemon answers", func() bool {
		conn, err := net.Dial("unix", w.cfg.Policy.Socket)
		if err == nil {
			conn.Close()
		}
		return err == nil && w.try(http.MethodGet, "status", nil, nil) == nil
	})
}

func (w *killed) kill() {
	w.Helper()
	if err := w.daemon.Process.Kill(); err != nil {
		w.Error(err)
	}
	w.daemon.Wait() // it was killed: that is no error here
}

// traffic sends letters to one recipient each, every third of them one that a rule holds, until stop is called.
func (w *killed) traffic() (stop func()) {
	ctx, cancel := context.WithCancel(w.Context())
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			for ctx.Err() == nil {
				w.sendOne()
			}
		})
	}
	return func() { cancel(); all.Wait() }
}

// sendOne sends a letter as mail programs do: what is deferred is sent again.
func (w *killed) sendOne() {
	n := w.number.Add(1)
	to, subject := fmt.Sprintf("free%d@far.example", n), "hello"
	if n%3 == 0 {
		to, subject = fmt.Sprintf("held%d@far.example", n), "hold this"
	}
	ctx := within(w.T)
	for {
		err := w.exim.Deliver(ctx, w.exim.SMTP(), lab.Caller{}, "x@osm.test", []string{to}, "Subject: "+subject+"\r\n\r\nBody\r\n")
		w.sent.Add(1) // or tried
		if err == nil {
			break
		}
		if !w.closed || !strings.Contains(err.Error(), "451") {
			w.Errorf("the letter to %s: %v", to, err)
			return
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.accepted = append(w.accepted, to)
}

// untilSent waits until so many more letters were sent, or tried to.
func (w *killed) untilSent(n int64) {
	w.Helper()
	n += w.sent.Load()
	w.until("letters are sent", func() bool { return w.sent.Load() >= n })
}

// settle waits until everything that is not held has arrived, and compares what Exim took with where it is.
func (w *killed) settle() {
	w.Helper()
	queued := map[string]*exim.Queued{}
	w.until("all mail has arrived or is held", func() bool {
		clear(queued)
		if err := w.exim.QueueRun(within(w.T)); err != nil {
			w.Fatal(err)
		}
		for m, err := range w.queue().Messages(within(w.T)) {
			if err != nil || !m.Held() {
				return false
			}
			queued[m.Recipients[0]] = m
		}
		for _, to := range w.accepted {
			if queued[to] == nil && w.sink.To(to) == 0 {
				return false
			}
		}
		return true
	})
	passed := 0
	for _, to := range w.accepted {
		held, arrived := queued[to] != nil, w.sink.To(to)
		switch {
		case held == (arrived > 0) || arrived > 1:
			w.Errorf("%s: held %v, arrived %d times", to, held, arrived)
		case held && !strings.HasPrefix(to, "held"):
			w.Errorf("%s is held", to)
		case arrived > 0 && strings.HasPrefix(to, "held"):
			passed++
		}
	}
	unanswered := strings.Count(w.eximLog(), exim.NoVerdict)
	w.Logf("%d letters, %d held, %d not to be held went out while osm was dead; Exim had no answer %d times", len(w.accepted), len(queued), passed, unanswered)
	if w.closed && passed > 0 || passed > unanswered || unanswered == 0 || len(queued) == 0 {
		w.Error("that is not what the setting promises, or too little was tried")
	}
	for to, m := range queued {
		w.untilState(m.ID, hold.Held)
		delete(queued, to)
	}
}

func (w *killed) eximLog() string {
	w.Helper()
	text, err := os.ReadFile(w.exim.LogPath())
	if err != nil {
		w.Fatal(err)
	}
	return string(text)
}

var arrivalLine = regexp.MustCompile(`(?m)^\S+ \S+ (?:\[\d+\] )?(\S+) <= `)

// history wants every arrival of Exim's log in the history once, and what became of it.
func (w *killed) history() {
	w.Helper()
	ids := map[string]bool{}
	for _, m := range arrivalLine.FindAllStringSubmatch(w.eximLog(), -1) {
		ids[m[1]] = true
	}
	r, err := store.OpenReader(w.cfg.Store.Path)
	if err != nil {
		w.Fatal(err)
	}
	defer r.Close()
	var seen map[string]int
	w.until("the history has all arrivals", func() bool {
		seen = map[string]int{}
		for f, more := (store.Filter{Limit: 1000}), true; more; {
			page, err := r.Search(within(w.T), f)
			if err != nil {
				w.Fatal(err)
			}
			for _, m := range page.Messages {
				seen[m.ID]++
			}
			f.After, more = page.Next, page.Next != ""
		}
		return len(seen) >= len(ids)
	})
	report, err := r.Report(within(w.T), store.ReportQuery{Since: time.Now().Add(-time.Hour), Until: time.Now().Add(time.Hour)})
	if err != nil || report.Total.Messages != int64(len(ids)) || len(ids) != len(w.accepted) {
		w.Errorf("%d letters, %d arrivals in Exim's log, %d messages in the sums, %v", len(w.accepted), len(ids), report.Total.Messages, err)
	}
	for id, n := range seen {
		if n != 1 || !ids[id] {
			w.Errorf("message %s is there %d times; in Exim's log: %v", id, n, ids[id])
		}
	}
}

// releaseAll lets out what was held by all of the daemons, to each recipient once.
func (w *killed) releaseAll() {
	w.Helper()
	w.order(web.HeldOrder{What: web.Release, All: true})
	w.until("what was held has arrived", func() bool { return w.arrivedOnce() })
	left, err := w.exim.Queued("")
	if err != nil || len(left) > 0 {
		w.Errorf("left in the queue: %v, %v", left, err)
	}
	for _, to := range w.accepted {
		if n := w.sink.To(to); n != 1 {
			w.Errorf("%s got the letter %d times", to, n)
		}
	}
}

func (w *killed) arrivedOnce() bool {
	for _, to := range w.accepted {
		if w.sink.To(to) == 0 {
			return false
		}
	}
	queued, err := w.exim.Queued("")
	return err == nil && len(queued) == 0
}
