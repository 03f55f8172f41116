package detect

import (
	"fmt"
	"testing"
	"time"

	"osm"
)

// TestHasSent: a login has a past when mail of it was accepted; trying does not make one.
func TestHasSent(t *testing.T) {
	d := New(DefaultConfig())
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	for i, accepted := range []bool{true, false} {
		m := &osm.Message{ID: fmt.Sprint(i), Time: at, Class: osm.Login, Login: fmt.Sprintf("user%d", i), Sender: "a@shop.example", Recipients: []string{"x@far.example"}}
		if d.Find(m); d.HasSent(m.Login) {
			t.Errorf("%s has sent before anything was accepted", m.Login)
		}
		if d.Learn(m, accepted); d.HasSent(m.Login) != accepted {
			t.Errorf("%s has sent: %v", m.Login, !accepted)
		}
	}
	if b, known := d.Explain(osm.Key{Kind: osm.KeyLogin, Value: "USER0"}, at); !known || b.Messages != 1 || b.Key.Value != "user0" {
		t.Errorf("a login in capitals is another: %+v", b)
	}
	if d.HasSent("nobody") || d.HasSent("") {
		t.Error("somebody unknown has sent")
	}
}
