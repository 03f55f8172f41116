package daemon

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"osm"
	"osm/config"
	"osm/policy"
)

// BenchmarkAsk is what the engine does for a question about a message that it accepts: of a thousand logins to twenty
// correspondents of each.
func BenchmarkAsk(b *testing.B) {
	cfg := config.Defaults()
	cfg.Rules = []policy.Rule{{Name: "bench", Classes: osm.Classes(), Action: osm.Accept}}
	e, err := newEngine(cfg, engineOptions{Sink: replaySink{}})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	questions := make([]policy.Request, 20_000)
	for n := range questions {
		login := n % 1000
		address := fmt.Sprintf("u%d@shop.example", login)
		questions[n] = policy.Request{State: policy.Data, UID: 102, Count: 1, Message: osm.Message{Protocol: "esmtpsa", ClientPort: 4000, ServerPort: 587,
			Client: netip.AddrFrom4([4]byte{192, 0, 2, byte(login % 250)}), Helo: fmt.Sprintf("pc%d", login), Sender: address, Login: address, Auth: "plain", TLS: "TLS1.3",
			Size: 2000, Subject: fmt.Sprintf("Order %d", n), HasSubject: true, Recipients: []string{fmt.Sprintf("r%d@far%d.example", n/1000, login)}}}
	}
	ids := make([]string, 1_000_000)
	for n := range ids {
		ids[n] = fmt.Sprintf("1xVPOh-%06d-0A", n)
	}
	now, n := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC), 0
	b.ReportAllocs()
	for b.Loop() {
		r := questions[n%len(questions)]
		r.Message.ID = ids[n%len(ids)]
		now, n = now.Add(10*time.Microsecond), n+1
		if v := e.Ask(&r, now); v.Stops() {
			b.Fatal(v)
		}
	}
}
