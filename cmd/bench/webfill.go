package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"osm"
	"osm/sim"
	"osm/store"
)

// A simulated account sends at least so many messages in the days that are kept, whatever the hour and the weekday of now; in a small
// world it is half as many again.
const (
	filledDays   = 30
	perAccount   = 1500
	filledAtOnce = store.BatchSize
	verdictOneOf = 40 // wanted mail, too, is looked at closely at times
	notedOneOf   = 64
)

// filled is a history of many messages, and what can be asked of it.
type filled struct {
	Path     string
	Messages int
	Bytes    int64 // of the raw log
	End      time.Time
	Asked    map[string]string // an account, login, script ... of whom there is mail; and the ids of a message and of a verdict
}

// fillStore writes the simulated mail of a large server straight into a history that ends now: at least so many messages.
func fillStore(path string, messages, days int, now time.Time) (f *filled, err error) {
	cfg := store.DefaultConfig()
	cfg.Path, cfg.MaxSize = path, 100<<30
	cfg.Keep = osm.Duration(400 * 24 * time.Hour)
	s, err := store.Open(cfg, now, nil)
	if err != nil {
		return nil, err
	}
	w := &filler{store: s, filled: &filled{Path: path, End: now, Asked: map[string]string{}}, half: messages / 2, accounts: map[string]int{}}
	world := sim.New(sim.Config{Seed: 1, Accounts: max(messages*filledDays/days/perAccount, 20), Days: days + 1, Start: now.Truncate(24*time.Hour).AddDate(0, 0, -days),
		Style: sim.CPanel, Panel: true, Geo: true})
	world.Run(w.event)
	err = cmp.Or(w.err, s.Flush(now, nil))
	for more := true; more && err == nil; {
		more, err = s.Settle(now)
	}
	if err != nil {
		return nil, err
	}
	if w.Messages < messages {
		return nil, fmt.Errorf("the simulated server has %d messages only, %d are wanted", w.Messages, messages)
	}
	w.choose()
	return w.filled, s.Close()
}

// filler hands a world's mail to the writer.
type filler struct {
	*filled
	store    *store.Store
	half     int
	accounts map[string]int // messages
	text     []byte
	err      error
}

func (w *filler) event(ev *sim.Event) osm.Action {
	if w.err != nil || ev.Time.After(w.End) || ev.Message == nil {
		return osm.Reject
	}
	m := ev.Message
	if ev.Delivery != nil {
		w.line(ev.Time, fmt.Appendf(w.text[:0], "%s %s => %s R=dnslookup T=remote_smtp H=%s [%s] X=TLS1.3:TLS_AES_256_GCM_SHA384:256 CV=yes C=\"250 2.0.0 OK %s\"",
			ev.Time.Format(time.DateTime), m.ID, ev.Delivery.Recipient, ev.Delivery.Host, ev.Delivery.IP, ev.Delivery.Text))
		w.store.Delivery(m, ev.Delivery)
		return osm.Accept
	}
	if ev.Kind != sim.Arrival {
		return osm.Accept
	}
	w.Messages++
	m.ID = base62(uint64(ev.Time.Unix())) + "-" + base62(uint64(w.Messages)%(1<<22)) + "-0A" // Linux has no larger process ids
	stored := *m
	if ev.Label.Campaign != "" || w.Messages%verdictOneOf == 0 {
		key := osm.Key{Kind: osm.KeyLogin, Value: cmp.Or(m.Login, m.Account, m.Sender)}
		stored.Verdict = osm.Verdict{ID: fmt.Sprintf("V%07X", w.Messages), Rule: cmp.Or(ev.Label.Campaign, "many-recipients"), Reason: "new-recipients",
			Detail: "39 of 40 were never written to", Key: key, Score: 7.5,
			Findings: []osm.Finding{{Fact: "new-recipients", Value: "39 of 40", Normal: "2 of 30", Weight: 4.5}, {Fact: "new-country", Value: "BR", Normal: "DE", Weight: 3}}}
		if ev.Label.Campaign != "" && w.Messages%2 == 0 {
			stored.Verdict.Action = osm.Hold
		}
	}
	w.line(ev.Time, fmt.Appendf(w.text[:0], "%s %s <= %s H=(%s) [%s]:%d P=%s X=%s CV=no A=%s:%s S=%d T=\"%s\" for %v", ev.Time.Format(time.DateTime), m.ID, m.Sender,
		m.Helo, m.Client, m.ClientPort, m.Protocol, m.TLS, m.Auth, m.Login, m.Size, m.Subject, m.Recipients))
	w.store.Arrival(&stored)
	if m.Class != osm.Inbound && m.Class != osm.Bounce {
		w.note(&stored)
	}
	return stored.Verdict.Action
}

func (w *filler) line(at time.Time, text []byte) {
	w.text = text
	w.Bytes += int64(len(text)) + 1
	w.store.Line(at, string(text))
	if w.store.Pending() >= filledAtOnce {
		w.err = w.store.Flush(w.End, nil)
	}
}

// note remembers whom one can ask about.
func (w *filler) note(m *osm.Message) {
	if m.Account != "" {
		w.accounts[m.Account]++
	}
	if w.Asked["latest"] = m.ID; w.Messages%notedOneOf != 0 && m.Verdict.ID == "" {
		return
	}
	for name, value := range map[string]string{"login": m.Login, "script": m.Script.Path, "client": clientOf(m), "sender": m.Sender,
		"sender-domain": osm.Domain(m.Sender), "subject": m.Subject} {
		if value != "" && m.Verdict.ID == "" {
			w.Asked[name] = value
		}
	}
	if len(m.Recipients) > 0 {
		w.Asked["recipient"] = m.Recipients[0]
	}
	if w.Messages < w.half {
		w.Asked["id"] = m.ID
		if m.Verdict.ID != "" {
			w.Asked["verdict"] = m.Verdict.ID
		}
	}
}

func clientOf(m *osm.Message) string {
	if !m.Client.IsValid() {
		return ""
	}
	return m.Client.String()
}

// choose takes the account that is in the middle by its mail.
func (w *filler) choose() {
	names := slices.SortedFunc(maps.Keys(w.accounts), func(a, b string) int { return cmp.Or(w.accounts[a]-w.accounts[b], cmp.Compare(a, b)) })
	w.Asked["account"] = names[len(names)/2]
	w.Asked["busiest"] = names[len(names)-1]
}
