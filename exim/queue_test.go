package exim_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"osm/exim"
	"osm/lab"
)

// patience is how long a test waits for what should happen at once.
const patience = 20 * time.Second

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func startLab(t *testing.T, o lab.Options) *lab.Exim {
	t.Helper()
	if err := lab.Missing(); err != nil {
		t.Skip(err)
	}
	e, err := lab.Start(within(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Stop(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func startSink(t *testing.T) *lab.Sink {
	t.Helper()
	sink, err := lab.NewSink(lab.SinkOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sink.Close(); err != nil {
			t.Error(err)
		}
	})
	return sink
}

func queueOf(e *lab.Exim) *exim.Queue {
	return &exim.Queue{Spool: filepath.Join(e.Folder(), "spool"), Command: e.Command}
}

// freezing holds every local submission, in the named queue when its sender says so.
const freezing = "queued:\n  warn senders = ^named\n       queue = osmhold\n  accept\n" +
	"frozen:\n  warn set acl_m_osm_held = on trial (V0TRIAL)\n       control = freeze/no_tell\n  accept\n"

// TestQueue holds messages in both queues of a real Exim, with the spool in one folder and split, and takes them out in
// each way.
func TestQueue(t *testing.T) {
	for _, split := range []bool{false, true} {
		t.Run(fmt.Sprintf("split=%v", split), func(t *testing.T) {
			sink := startSink(t)
			e := startLab(t, lab.Options{Sink: sink, ACL: freezing,
				Main: fmt.Sprintf("acl_not_smtp_start = queued\nacl_not_smtp = frozen\nsplit_spool_directory = %v\n", split)})
			for _, sender := range []string{"", "named"} {
				t.Run("queue of "+sender, func(t *testing.T) { takeOut(t, e, sink, sender) })
			}
		})
	}
}

func takeOut(t *testing.T, e *lab.Exim, sink *lab.Sink, sender string) {
	ctx, q := within(t), queueOf(e)
	for _, name := range []string{"deliver", "release", "remove"} {
		err := e.Submit(ctx, lab.Submission{Args: []string{"-i", "-f", sender + "x@osm.test", name + sender + "@far.example"},
			Input: "Subject: " + name + "\n\nBody of " + name + "\n"})
		if err != nil {
			t.Fatal(err)
		}
	}
	held := make(map[string]*exim.Queued)
	for m, err := range q.Messages(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if id, _, ok := m.Verdict(); !ok || id != "V0TRIAL" || !m.Held() || m.Client.IsValid() || m.User != "root" {
			t.Errorf("%+v", m)
		}
		if wanted := map[string]string{"": "", "named": exim.HoldQueue}[sender]; m.Queue != wanted {
			t.Errorf("it is in the queue %q, not %q", m.Queue, wanted)
		}
		body, err := q.Body(m.Place, 4)
		if size, sized := q.Size(m.Place); err != nil || string(body) != "Body" || sized != nil || size != int64(len("Body of \n")+len(m.Header("subject"))) {
			t.Errorf("the body begins with %q (%v) and has %d bytes (%v)", body, err, size, sized)
		}
		held[m.Header("subject")] = m
	}
	if len(held) != 3 {
		t.Fatalf("%d messages are held, not 3", len(held))
	}
	if err := q.Remove(ctx, held["remove"].Place); err != nil {
		t.Error(err)
	}
	if err := q.SetAside(ctx, held["deliver"].Place, held["release"].Place); err != nil {
		t.Error(err)
	}
	if err := e.QueueRun(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Command(ctx, "-qff"); err != nil { // which delivers frozen messages
		t.Fatal(err)
	}
	for _, name := range []string{"deliver", "release"} {
		m, err := q.Find(held[name].ID)
		if err != nil || m.Queue != exim.HoldQueue || m.Frozen.IsZero() {
			t.Fatalf("set aside: %+v, %v", m, err)
		}
		held[name] = m
	}
	if err := q.Deliver(ctx, held["deliver"].Place); err != nil {
		t.Error(err)
	}
	if sink.To("deliver"+sender+"@far.example") != 1 {
		t.Error("Deliver has returned and the message has not arrived")
	}
	if err := q.Release(ctx, held["release"].Place); err != nil {
		t.Error(err)
	}
	if err := q.Release(ctx, held["release"].Place); err != nil {
		t.Errorf("to release it twice: %v", err)
	}
	if err := q.Remove(ctx, held["remove"].Place, held["deliver"].Place); err != nil {
		t.Error(err)
	}
	if err := e.QueueRun(ctx); err != nil {
		t.Fatal(err)
	}
	released := "release" + sender + "@far.example"
	m, err := sink.Wait(ctx, func(r *lab.Received) bool { return slices.Contains(r.Recipients, released) })
	if err != nil || !strings.HasSuffix(string(m.Data), "\r\n\r\nBody of release\r\n") {
		t.Errorf("%v, %+v", err, m)
	}
	if sink.To("remove"+sender+"@far.example") != 0 {
		t.Error("a removed message was delivered")
	}
	for p := range q.Places(ctx) {
		t.Errorf("%+v is left", p)
	}
}

// TestQueueLocked takes messages out while another process has them, as the one does that has just answered the client: Exim
// refuses the first call, and the next works.
func TestQueueLocked(t *testing.T) {
	sink := startSink(t)
	e := startLab(t, lab.Options{Sink: sink, ACL: freezing, Main: "acl_not_smtp_start = queued\nacl_not_smtp = frozen\n"})
	ctx, q := within(t), queueOf(e)
	for _, sender := range []string{"x@osm.test", "namedx@osm.test"} {
		for name, change := range map[string]func(exim.Place) error{
			"deliver": func(p exim.Place) error { return q.Deliver(ctx, p) },
			"release": func(p exim.Place) error { return q.Release(ctx, p) },
			"aside":   func(p exim.Place) error { return q.SetAside(ctx, p) },
			"remove":  func(p exim.Place) error { return q.Remove(ctx, p) },
		} {
			t.Run(name+" "+sender, func(t *testing.T) {
				if err := e.Submit(ctx, lab.Submission{Args: []string{"-i", "-f", sender, "a@far.example"}, Input: "Subject: x\n\nx\n"}); err != nil {
					t.Fatal(err)
				}
				place := onlyHeld(t, q).Place
				files, err := filepath.Glob(filepath.Join(q.Spool, place.Queue, "input", place.ID+"-D"))
				if err != nil || len(files) != 1 {
					t.Fatalf("its file of data: %q, %v", files, err)
				}
				data, err := os.OpenFile(files[0], os.O_RDWR, 0)
				if err != nil {
					t.Fatal(err)
				}
				if err := syscall.FcntlFlock(data.Fd(), syscall.F_SETLK, &syscall.Flock_t{Type: syscall.F_WRLCK}); err != nil {
					t.Fatal(err)
				}
				calls := 0
				q.Command = func(ctx context.Context, args ...string) (string, error) {
					said, err := e.Command(ctx, args...)
					if calls++; calls == 1 {
						t.Logf("%q: %q, %v", args, said, err)
						return said, errors.Join(err, data.Close())
					}
					return said, err
				}
				done := name == "aside" && place.Queue == exim.HoldQueue // that is where it is
				if err := change(place); err != nil || calls < 2 && !done {
					t.Errorf("after %d calls: %v", calls, err)
				}
				if err := q.Remove(ctx, slices.Collect(places(t, q))...); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestQueueRefuses what is no message's place: nothing of it may reach Exim's command line.
func TestQueueRefuses(t *testing.T) {
	q := &exim.Queue{Spool: t.TempDir(), Command: func(_ context.Context, args ...string) (string, error) {
		t.Errorf("Exim was called with %q", args)
		return "", nil
	}}
	for _, p := range []exim.Place{{ID: ""}, {ID: "-qff"}, {ID: "1xVPZd-0006oo-2Y -bV"}, {ID: "../../etc/passwd"},
		{ID: "1xVPZd-0006oo-2Y", Queue: "other"}, {ID: "1xVPZd-0006oo-2Y", Queue: "osmhold -bV"}} {
		if _, ok := errors.AsType[*exim.QueueError](q.Release(t.Context(), p)); !ok {
			t.Errorf("%+v is taken for a place", p)
		}
	}
	if _, err := q.Find("../x"); err == nil {
		t.Error("../x is found")
	}
	if _, err := q.Find("1xVPZd-0006oo-2Y"); !errors.Is(err, exim.ErrGone) || !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// TestQueueCommandWithoutEffect: Exim's exit status 0 is not believed.
func TestQueueCommandWithoutEffect(t *testing.T) {
	spool := t.TempDir()
	const id = "1xVPZd-0006oo-2Y"
	text := id + "-H\nroot 0 0\n<>\n1795423133 0\n-frozen 1795423135\nXX\n1\nx@far.example\n\n"
	if err := os.MkdirAll(filepath.Join(spool, "input"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(spool, "input", id+"-H"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	q := &exim.Queue{Spool: spool, Command: func(context.Context, ...string) (string, error) { return "", nil }}
	for name, try := range map[string]func(context.Context, ...exim.Place) error{"release": q.Release, "remove": q.Remove} {
		failure, ok := errors.AsType[*exim.QueueError](try(t.Context(), exim.Place{ID: id}))
		if !ok || failure.ID != id || failure.Did != name {
			t.Errorf("%s: %v", name, failure)
		}
	}
}

// BenchmarkPlaces lists a queue of held messages, and BenchmarkMessages reads them too; ns/op is per message.
func BenchmarkPlaces(b *testing.B)   { walk(b, false) }
func BenchmarkMessages(b *testing.B) { walk(b, true) }

func walk(b *testing.B, read bool) {
	const many = 10_000
	input := filepath.Join(b.TempDir(), "input")
	if err := os.Mkdir(input, 0o700); err != nil {
		b.Fatal(err)
	}
	for i := range many {
		id := fmt.Sprintf("1xVPZd-%06d-2Y", i)
		text := id + "-H\nroot 0 0\n<>\n1795423133 0\n-frozen 1795423135\nXX\n1\nx@far.example\n\n"
		if err := os.WriteFile(filepath.Join(input, id+"-H"), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
	}
	q := &exim.Queue{Spool: filepath.Dir(input)}
	b.ResetTimer()
	for n := 0; n < b.N; {
		for p := range q.Places(b.Context()) {
			if read {
				if _, err := q.Read(p); err != nil {
					b.Fatal(err)
				}
			}
			if n++; n >= b.N {
				break
			}
		}
	}
}
