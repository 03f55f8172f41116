package exim_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"osm"
	"osm/exim"
	"osm/lab"
	"osm/policy"
)

// TestWhoAsks: whoever sends, and by which way, it is Exim's own user that the kernel sees at the socket's other end, and
// root where a router asks while Exim delivers. So nobody else needs the right to ask.
func TestWhoAsks(t *testing.T) {
	binary := eximBinary(t)
	u, err := exim.UserOf(t.Context(), binary)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var uids []int
	socket := socketPath(t)
	l := listen(t, socket)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	server := policy.NewServer(policy.ServerOptions{
		Ask: func(*policy.Request) osm.Verdict { return osm.Verdict{} },
		Allowed: func(uid int) bool {
			mu.Lock()
			defer mu.Unlock()
			uids = append(uids, uid)
			return true
		}})
	go func() { served <- server.Serve(ctx, l) }()
	t.Cleanup(func() { cancel(); <-served })
	s := snippets(t, exim.Snippets{Socket: socket, At: everywhere()})
	o := asking(s, lab.Options{Sink: startSink(t), Users: []string{"shop"}})
	o.Rewrite, o.Routers = s.RewriteRule(), s.Router()
	e := startLab(t, o)
	if err := e.Deliver(within(t), e.SMTP(), lab.Caller{}, "x@osm.test", []string{"y@far.example"}, "Subject: x\n\nBody\n"); err != nil {
		t.Fatal(err)
	}
	for _, user := range []string{"shop", "", "www-data"} {
		if err := e.Submit(within(t), lab.Submission{User: user, Input: "To: y@far.example\nSubject: x\n\nBody\n"}); err != nil {
			t.Fatal(err)
		}
	}
	seen := func(allowed ...int) {
		t.Helper()
		mu.Lock()
		defer mu.Unlock()
		for _, uid := range uids {
			if !slices.Contains(allowed, uid) {
				t.Errorf("the uid %d asked; Exim's is %d", uid, u.UID)
			}
		}
		if len(uids) < 10 {
			t.Errorf("%d questions", len(uids))
		}
	}
	seen(u.UID)
	if err := e.Deliver(within(t), e.SMTP(), lab.Caller{}, "x@osm.test", []string{"u.eEBmYXIuZXhhbXBsZQ@" + exim.HoldDomain}, "Subject: x\n\nBody\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := e.WaitLog(within(t), "R=osm_hold"); err != nil {
		t.Error(err)
	}
	seen(u.UID, 0)
}
