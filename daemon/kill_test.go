package daemon

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"osm"
	"osm/store"
)

// kills is how often the daemon is killed; "go test -short" is content with fewer.
const kills = 200

// TestKilledAtAnyMoment lets a writer write and the real logrotate rotate, kills the daemon again and again with SIGKILL, and
// wants every event to be in the store exactly once in the end.
func TestKilledAtAnyMoment(t *testing.T) {
	logrotate, err := exec.LookPath("logrotate")
	if err != nil {
		t.Skip("logrotate is not installed: make test installs it")
	}
	dir := t.TempDir()
	program, path := build(t), filepath.Join(dir, "osm.db")
	w := &logWriter{t: t, path: filepath.Join(dir, "mainlog"), at: time.Now().Add(-time.Hour).Truncate(time.Second)}
	conf := writeFile(t, dir, "osm.toml", fmt.Sprintf("[exim]\nlog = %q\n[store]\npath = %q\nsave_after = \"20ms\"\n[control]\nsocket = %q\n[policy]\nsocket = %q\n[tail]\npoll = \"5ms\"\n",
		w.path, path, filepath.Join(dir, "control.sock"), filepath.Join(dir, "policy.sock")))
	rotate := writeFile(t, dir, "rotate.conf", w.path+" {\n  rotate 1000\n  size 1\n  compress\n  delaycompress\n  nomail\n  missingok\n}\n")
	rounds, progress, before := kills, 0, osm.Position{}
	if testing.Short() {
		rounds = 20
	}
	pace := time.NewTicker(3 * time.Millisecond) // the daemon gets to the end of the log now and then, and saves
	defer pace.Stop()
	random := rand.New(rand.NewPCG(1, 2))
	for round := range rounds {
		daemon := exec.Command(program, "serve", "-c", conf)
		daemon.Stderr = os.Stderr
		if err := daemon.Start(); err != nil {
			t.Fatal(err)
		}
		// Every other time it has saved something before it is killed, however slow the machine is.
		end, patient := time.After(time.Duration(20+random.IntN(300))*time.Millisecond), round%2 == 1
		for killed := false; !killed; {
			w.write(1 + random.IntN(40))
			select {
			case <-end:
				if killed = !patient || saved(path) != before; !killed {
					end = time.After(time.Duration(random.IntN(60)) * time.Millisecond)
				}
			case <-pace.C:
			}
		}
		if err := daemon.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		daemon.Wait() // it was killed: that is no error here
		if at := saved(path); at != before {
			before = at
			progress++
		}
		if round%3 == 0 {
			if out, err := exec.Command(logrotate, "-f", "-s", filepath.Join(dir, "state"), rotate).CombinedOutput(); err != nil {
				t.Fatalf("logrotate: %v: %s", err, out)
			}
		}
	}
	if progress < rounds/4 {
		t.Errorf("the daemon had saved something new at only %d of %d kills: the test tries little", progress, rounds)
	}
	w.write(1)
	finish(t, program, conf, path, w)
	compare(t, path, w)
}

// saved is how far the log was read when the daemon was killed, as the store says.
func saved(path string) (at osm.Position) {
	r, err := store.OpenReader(path)
	if err != nil {
		return at // killed before there was a store
	}
	defer r.Close()
	if all, err := r.SavedPositions(context.Background()); err == nil && len(all) > 0 {
		at = all[0]
	}
	return at
}

// finish lets a daemon read to the end in peace: it is stopped when the last message is in the store.
func finish(t *testing.T, program, conf, path string, w *logWriter) {
	t.Helper()
	daemon := exec.Command(program, "serve", "-c", conf)
	daemon.Stderr = os.Stderr
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(2 * time.Minute)
	for done := false; !done; {
		if time.Now().After(deadline) || daemon.ProcessState != nil {
			t.Fatal("the last message does not reach the store")
		}
		r, err := store.OpenReader(path)
		if err != nil {
			continue
		}
		trace, err := r.Trace(context.Background(), w.last)
		done = err == nil && len(trace.Deliveries) > 0
		r.Close()
	}
	daemon.Process.Signal(os.Interrupt)
	if err := daemon.Wait(); err != nil {
		t.Errorf("the daemon ended with %v when it was told to stop", err)
	}
}

// compare compares the store with what was written.
func compare(t *testing.T, path string, w *logWriter) {
	t.Helper()
	r, err := store.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	report, err := r.Report(context.Background(), store.ReportQuery{Since: w.at.Add(-48 * time.Hour), Until: w.at.Add(48 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d messages written", w.n)
	if got := report.Total.Messages; got != int64(w.n) {
		t.Errorf("%d messages in the hourly sums, want %d", got, w.n)
	}
	if got := report.Total.Delivered; got != int64(w.n) {
		t.Errorf("%d deliveries in the hourly sums, want %d", got, w.n)
	}
	seen := map[string]bool{}
	f := store.Filter{Limit: 1000}
	for more := true; more; {
		page, err := r.Search(context.Background(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page.Messages {
			if seen[m.ID] {
				t.Errorf("message %s is there twice", m.ID)
			}
			seen[m.ID] = true
			if m.Delivered != 1 || m.Completed.IsZero() || m.NoArrival {
				t.Errorf("message %s: %d deliveries, completed %v, without arrival %v", m.ID, m.Delivered, m.Completed, m.NoArrival)
			}
		}
		f.After, more = page.Next, page.Next != ""
	}
	if len(seen) != w.n {
		t.Errorf("%d messages are found, want %d", len(seen), w.n)
	}
}

// logWriter writes an Exim main log as Exim does: it opens the file by its name for each piece.
type logWriter struct {
	t    *testing.T
	path string
	at   time.Time
	n    int
	last string // id of the last message
}

// write appends n whole messages.
func (w *logWriter) write(n int) {
	w.t.Helper()
	var b strings.Builder
	for range n {
		if w.n%50 == 0 {
			w.at = w.at.Add(time.Second)
		}
		id := messageID(w.at, w.n)
		stamp := w.at.Format("2006-01-02 15:04:05")
		fmt.Fprintf(&b, "%s %s <= user%d@here.example H=client.example [192.0.2.%d] P=esmtpsa A=plain:user%d@here.example S=%d T=\"message %d\" for to%d@far.example\n",
			stamp, id, w.n%7, w.n%250+1, w.n%7, 500+w.n%1000, w.n, w.n%90)
		fmt.Fprintf(&b, "%s %s => to%d@far.example R=dnslookup T=remote_smtp H=mx.far.example [198.51.100.1] C=\"250 OK\"\n", stamp, id, w.n%90)
		fmt.Fprintf(&b, "%s %s Completed\n", stamp, id)
		w.n++
		w.last = id
	}
	f, err := os.OpenFile(w.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := f.WriteString(b.String()); err != nil {
		w.t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		w.t.Fatal(err)
	}
}

// messageID makes an id of 16 characters: the time, a number in place of the process, and no fraction.
func messageID(at time.Time, n int) string {
	return base62(at.Unix(), 6) + "-" + base62(int64(n), 6) + "-00"
}

func base62(n int64, width int) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	b := make([]byte, width)
	for i := width - 1; i >= 0; i-- {
		b[i] = digits[n%62]
		n /= 62
	}
	return string(b)
}

func writeFile(t testing.TB, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// build makes the program.
func build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "osm")
	if out, err := exec.Command("go", "build", "-o", program, "osm/cmd/osm").CombinedOutput(); err != nil {
		t.Fatalf("build: %v: %s", err, out)
	}
	return program
}
