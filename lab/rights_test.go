package lab

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"osm/exim"
)

// inService names the environment variables by which a test program knows that it is the service of a case: where the
// spool and Exim are, and which messages to release, deliver and remove.
const inService = "OSM_TEST_SERVICE"

// TestServiceRights has a process with the rights of a service work on a real Exim's queue: with packaging/active.conf
// it can, and without any part of that it can't and says what is missing.
func TestServiceRights(t *testing.T) {
	if order := os.Getenv(inService); order != "" {
		workAsService(t, strings.Fields(order))
		return
	}
	if err := Missing(); err != nil {
		t.Skip(err)
	}
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		t.Skip(err)
	}
	sink := startSink(t, SinkOptions{})
	e := startLab(t, Options{Selector: SelectorBest, Sink: sink, Users: []string{"watcher"}})
	program := copyOfTest(t, e)
	active := boundingSet(t, "../packaging/active.conf")
	adm, both := "4", "4,"+strconv.Itoa(e.gid)
	for _, test := range []struct {
		name, groups, set string
		more              []string
		missing           []string // what it says that it lacks; nil: it can do all
	}{
		{"active", both, active, nil, nil},
		{"packaged", adm, "-all", []string{"--no-new-privs"},
			[]string{"must be in the group " + groupOf(t, e), "NoNewPrivileges is set", "CapabilityBoundingSet lacks"}},
		{"without the group", adm, active, nil, []string{"must be in the group " + groupOf(t, e)}},
		{"without new privileges", both, active, []string{"--no-new-privs"}, []string{"NoNewPrivileges is set"}},
		{"without capabilities", both, "-all", nil, []string{"CapabilityBoundingSet lacks"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			ids := frozenMail(t, e, strings.ReplaceAll(test.name, " ", "-"))
			u := e.users["watcher"]
			cmd := exec.CommandContext(within(t), setpriv, append(test.more,
				"--reuid", strconv.Itoa(u.uid), "--regid", strconv.Itoa(u.gid),
				"--groups", test.groups, "--inh-caps", "-all", "--bounding-set", test.set, "--",
				program, "-test.run", "^TestServiceRights$", "-test.v")...)
			cmd.Dir = "/"
			cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin",
				inService + "=" + strings.Join(append([]string{e.path("spool"), e.binary}, ids...), " ")}
			said, err := e.run(cmd)
			if err != nil {
				t.Fatalf("%v\n%s", err, said)
			}
			t.Log(said)
			if test.missing == nil {
				wantDone(t, e, sink, said, ids)
			} else {
				wantRefused(t, e, said, ids, test.missing)
			}
		})
	}
}

// workAsService is what the process with the rights of a service does.
func workAsService(t *testing.T, order []string) {
	q := &exim.Queue{Spool: order[0], Command: exim.Program(order[1])}
	ctx := within(t)
	for m, err := range q.Messages(ctx) {
		if err != nil {
			fmt.Printf("list: %v\n", err)
			continue
		}
		fmt.Printf("sees %s frozen %v\n", m.ID, m.Held())
	}
	for i, do := range []func(exim.Place) error{
		func(p exim.Place) error { return q.Release(ctx, p) },
		func(p exim.Place) error { return q.Deliver(ctx, p) },
		func(p exim.Place) error { return q.Remove(ctx, p) },
	} {
		fmt.Printf("did %d: %v\n", i, do(exim.Place{ID: order[2+i]}))
	}
}

func wantDone(t *testing.T, e *Exim, sink *Sink, said string, ids []string) {
	for i, id := range ids {
		if !strings.Contains(said, "sees "+id+" ") || !strings.Contains(said, fmt.Sprintf("did %d: <nil>\n", i)) {
			t.Errorf("message %d, %s", i, id)
		}
	}
	if _, err := sink.Wait(within(t), to("active-1@"+DomainG)); err != nil {
		t.Errorf("the message that was delivered: %v", err)
	}
	if err := e.QueueRun(within(t)); err != nil {
		t.Error(err)
	}
	if _, err := sink.Wait(within(t), to("active-0@"+DomainG)); err != nil {
		t.Errorf("the message that was thawed: %v", err)
	}
	if _, err := e.Queue().Find(ids[2]); err == nil {
		t.Error("the message that was removed is there")
	}
}

// wantRefused wants every message to be frozen as before, and each error to name the drop-in and what is missing.
func wantRefused(t *testing.T, e *Exim, said string, ids, missing []string) {
	for i, id := range ids {
		if m, err := e.Queue().Find(id); err != nil || m.Frozen.IsZero() {
			t.Errorf("%s is not frozen any more: %v", id, err)
		}
		_, line, _ := strings.Cut(said, fmt.Sprintf("did %d: ", i))
		line, _, _ = strings.Cut(line, "\n")
		for _, text := range append([]string{exim.ErrRights.Error(), exim.ServiceRights}, missing...) {
			if !strings.Contains(line, text) {
				t.Errorf("%q does not say %q", line, text)
			}
		}
	}
}

// frozenMail are the ids of three messages that are held.
func frozenMail(t *testing.T, e *Exim, name string) (ids []string) {
	t.Helper()
	for i := range 3 {
		recipient := fmt.Sprintf("%s-%d@%s", name, i, DomainG)
		// -odq: it is left to the queue, so that it can be frozen before it is delivered.
		s := Submission{Args: []string{"-odq", "-t", "-i"}, Input: letter(recipient, recipient)}
		if err := e.Submit(within(t), s); err != nil {
			t.Fatal(err)
		}
		line, err := e.WaitLog(within(t), " <= ", recipient)
		if err != nil {
			t.Fatal(err)
		}
		id := strings.Fields(line[:strings.Index(line, " <= ")])
		ids = append(ids, id[len(id)-1])
		if err := e.Freeze(within(t), ids[i]); err != nil {
			t.Fatal(err)
		}
	}
	return ids
}

// copyOfTest puts this test program where every user may run it: go test's own folder is root's.
func copyOfTest(t *testing.T, e *Exim) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(e.Folder(), "service")
	if err := os.WriteFile(path, program, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// boundingSet is a unit file's CapabilityBoundingSet in setpriv's words.
func boundingSet(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	set := "-all"
	for line := range bytes.Lines(text) {
		if names, ok := strings.CutPrefix(string(line), "CapabilityBoundingSet="); ok {
			for _, name := range strings.Fields(names) {
				set += ",+" + strings.ToLower(strings.TrimPrefix(name, "CAP_"))
			}
		}
	}
	if set == "-all" {
		t.Fatalf("%s leaves no capability", path)
	}
	return set
}

func groupOf(t *testing.T, e *Exim) string {
	t.Helper()
	text, err := os.ReadFile(e.path("root/etc/group"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Split(line, ":"); len(f) > 2 && f[2] == strconv.Itoa(e.gid) {
			return f[0]
		}
	}
	t.Fatalf("group %d has no name", e.gid)
	return ""
}
