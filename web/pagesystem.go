package web

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"osm"
	"osm/action"
	"osm/policy"
)

// listsView are the block and the allow list.
type listsView struct {
	Side      string // all, block or allow
	Entries   []listEntry
	More      int
	Kinds     []osm.KeyKind
	Suspended []action.Suspension
}

// listEntry is an entry of the lists; a suspension is one that says so in its reason.
type listEntry struct {
	policy.Entry
	Suspended bool
}

func newListEntry(e policy.Entry) listEntry {
	reason, suspended := strings.CutPrefix(e.Reason, SuspendMark)
	if suspended {
		e.Reason = strings.TrimPrefix(reason, ": ")
	}
	return listEntry{Entry: e, Suspended: suspended}
}

func (s *Server) listsPage(r *http.Request) (any, error) {
	v := &listsView{Side: r.URL.Query().Get("side"), Kinds: []osm.KeyKind{osm.KeyLogin, osm.KeyAccount, osm.KeyClient, osm.KeyNetwork, osm.KeySender,
		osm.KeySenderDomain, osm.KeyScript, osm.KeyRecipient, osm.KeyRecipientDomain, osm.KeyCountry, osm.KeyASN, osm.KeyHelo, osm.KeyUser, osm.KeySubject}}
	if v.Side != "block" && v.Side != "allow" {
		v.Side = "all"
	}
	for _, e := range s.o.Lists() {
		if v.Side == "all" || e.Allow == (v.Side == "allow") {
			v.Entries = append(v.Entries, newListEntry(e))
		}
	}
	if v.More = max(0, len(v.Entries)-listMost); v.More > 0 {
		v.Entries = v.Entries[:listMost]
	}
	if viewer := ViewerOf(r.Context()); viewer.May(SeeSuspensions) {
		v.Suspended = s.o.Suspensions(viewer.Scope)
	}
	return v, nil
}

// settingsView is what is in force, by table.
type settingsView struct {
	Find    string
	Changed bool
	Tables  []settingTable
}

type settingTable struct {
	Name, Doc string
	Settings  []Setting
}

func (s *Server) settingsPage(r *http.Request) (any, error) {
	q := r.URL.Query()
	v := &settingsView{Find: strings.TrimSpace(q.Get("q")), Changed: q.Get("changed") != ""}
	words := strings.ToLower(v.Find)
	var table settingTable
	keep := func() {
		if len(table.Settings) > 0 {
			v.Tables = append(v.Tables, table)
		}
	}
	for _, one := range s.o.Settings() {
		if one.Header != "" {
			keep()
			table = settingTable{Name: strings.Trim(one.Header, "[]"), Doc: one.Doc}
			continue
		}
		if v.Changed && one.Where == "" || words != "" && !strings.Contains(strings.ToLower(one.Key+" "+one.Doc+" "+one.Value), words) {
			continue
		}
		table.Settings = append(table.Settings, one)
	}
	keep()
	return v, nil
}

// healthView is what osm doctor finds.
type healthView struct {
	answer
	Findings []Finding
}

func (s *Server) healthPage(r *http.Request) (any, error) {
	v := &healthView{Findings: slices.Clone(s.o.Doctor(r.Context()))}
	bad := map[string]int{Problem: 2, Notice: 1}
	slices.SortStableFunc(v.Findings, func(a, b Finding) int { return cmp.Compare(bad[b.State], bad[a.State]) })
	problems, notices := 0, 0
	for _, f := range v.Findings {
		switch f.State {
		case Problem:
			problems++
		case Notice:
			notices++
		}
	}
	say := s.pages.speechFor(r)
	var err error
	switch {
	case problems > 0:
		v.Tone, v.Icon = "bad", "bad"
		v.Headline, err = say.say("health.problems", "n", problems)
	case notices > 0:
		v.Tone, v.Icon = "warn", "info"
		v.Headline, err = say.say("health.notices", "n", notices)
	default:
		v.Tone, v.Icon = "good", "good"
		v.Headline, err = say.say("health.fine")
	}
	return v, err
}

// letterView is an alert, a digest or a notice on its way.
type letterView struct {
	action.Letter
	Time    time.Time
	Subject string
	To      string
}

func (s *Server) alertsPage(*http.Request) (any, error) {
	var all []letterView
	for _, l := range s.o.Letters() {
		one := letterView{Letter: l, Time: l.Alert.Time}
		if l.Mail != nil {
			one.Time, one.Subject, one.To = l.Mail.Time, l.Mail.Subject, strings.Join(l.Mail.To, ", ")
		} else {
			one.Subject = l.Alert.Subject()
		}
		if len(all) < listMost {
			all = append(all, one)
		}
	}
	return map[string]any{"Letters": all}, nil
}

func (s *Server) auditPage(r *http.Request) (any, error) {
	return s.audit(r.Context(), listMost)
}

// rulesView are the rules: one's own, and what the detection calls what it finds.
type rulesView struct {
	Own   OwnRules
	Built []Rule
}

func (s *Server) rulesPage(r *http.Request) (any, error) {
	all, err := s.hits(r.Context(), s.o.Now().Add(-overviewDay))
	if err != nil {
		return nil, err
	}
	v := &rulesView{Own: s.o.RuleCalls.Own()}
	say := s.pages.speechFor(r)
	for _, rule := range all {
		if rule.Built {
			v.Built = append(v.Built, rule)
		}
	}
	for _, name := range []string{"stolen-login", "hacked-script", "new-account", "spoofed-sender", "herd", "localhost-sender", "relay-sender", "list-sender"} {
		if !slices.ContainsFunc(v.Built, func(r Rule) bool { return r.Name == name }) {
			v.Built = append(v.Built, Rule{Name: name, Built: true})
		}
	}
	slices.SortStableFunc(v.Built, func(a, b Rule) int {
		return cmp.Or(cmp.Compare(b.Hits, a.Hits), cmp.Compare(say.word("rule", a.Name), say.word("rule", b.Name)))
	})
	return v, nil
}
