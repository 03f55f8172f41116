package daemon

import (
	"maps"
	"testing"
	"time"

	"osm"
	"osm/config"
	"osm/hold"
	"osm/policy"
)

// TestContentIsCharged: what is wrong with a content makes an incident of whoever sent it; a scanner that is dead makes none.
func TestContentIsCharged(t *testing.T) {
	const worm = "Subject: x\r\nContent-Type: application/octet-stream; name=run.exe\r\n\r\nMZ\r\n"
	s := idleSession(t, func(c *config.Config) {
		c.Check.Content.Enabled, c.Check.Content.Extensions, c.Check.Content.Action = true, []string{"exe"}, osm.Reject
		c.Check.Content.Classes = append(c.Check.Content.Classes, osm.Inbound)
		c.Check.Rspamd.Enabled, c.Check.Rspamd.URL, c.Check.Rspamd.OnFailure = true, "http://127.0.0.1:1", osm.Hold
	})
	refused := ""
	ask := func(n int, login, to, content string) osm.Verdict {
		q := question(policy.Data, messageID(time.Now(), n), login, "192.0.2.9")
		q.Message.Sender, q.Message.Recipients = "eve@far.example", []string{to}
		q.Content, q.Whole = []byte(content), true
		v := s.ask(t.Context(), q)
		if v.Action == osm.Reject && refused == "" {
			refused = q.Message.ID
		}
		return v
	}
	for n, c := range []struct{ login, to, key string }{
		{"bob@shop.example", "x@far.example", "login:bob@shop.example"},
		{"", "x@shop.example", "client:192.0.2.9"}, // nobody's here
	} {
		if v := ask(n, c.login, c.to, worm); v.Rule != "check-content" || v.Key.String() != c.key {
			t.Errorf("%+v: %+v", c, v)
		}
	}
	if v := ask(7, "eve@shop.example", "x@far.example", "Subject: x\r\n\r\nplain\r\n"); v.Rule != "check-rspamd" || v.Action != osm.Hold || v.Key != (osm.Key{}) {
		t.Errorf("a dead scanner: %+v", v)
	}
	s.engine.Refused()
	if err := s.flush(t.Context(), once); err != nil {
		t.Fatal(err)
	}
	kept, err := s.store.Trace(t.Context(), refused)
	if err != nil {
		t.Fatal(err)
	}
	told := map[string]string{}
	for _, f := range kept.Verdict.Findings {
		told[f.Fact] += f.Value
	}
	if want := map[string]string{"content": "an attachment's name ends with .exe", "extensions": "exe", "checks_failed": "rspamd"}; !maps.Equal(told, want) {
		t.Errorf("the history tells what the checks said: %v, want %v", told, want)
	}
	keys := map[string]bool{}
	for _, i := range s.alarm.book.All() {
		keys[i.Key.String()+" "+i.Rule] = true
	}
	if len(keys) != 2 || !keys["login:bob@shop.example check-content"] || !keys["client:192.0.2.9 check-content"] {
		t.Errorf("the incidents: %v", keys)
	}
}

// TestCheckIsNoDetection: mail that a check has stopped is not released because the detection thinks well of its sender, and
// nobody is suspended for what the detection has not found.
func TestCheckIsNoDetection(t *testing.T) {
	s := idleSession(t, nil)
	m := suspicious(1, time.Now(), osm.Accept)
	m.Recipients = nil
	for range 200 {
		m.Recipients = append(m.Recipients, messageID(m.Time, len(m.Recipients))+"@far.example")
	}
	m.Opinions = &osm.Opinions{Verdict: osm.Verdict{Action: osm.Reject, Rule: "check-dnsbl", Findings: []osm.Finding{{Fact: "dnsbl", Weight: 1}}}}
	if found := s.engine.Detect.Find(m); found.Score == 0 || found.Action == osm.Reject {
		t.Fatalf("the detection finds %+v", found)
	}
	s.engine.judge(m, nil)
	if m.Verdict.Rule != "check-dnsbl" || hold.FromVerdict(m).Weighed {
		t.Errorf("%+v", m.Verdict)
	}
	s.holds.arrival(m, m.Time)
	if len(s.stops.refused) > 0 {
		t.Errorf("to be suspended: %+v", s.stops.refused)
	}
}
