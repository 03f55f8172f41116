package web

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"osm"
	"osm/access"
	"osm/action"
	"osm/check"
	"osm/hold"
	"osm/incident"
	"osm/policy"
	"osm/store"
	"osm/tail"
)

// What an overview looks back on, and how much it lists.
const (
	overviewRates    = time.Hour
	overviewDay      = 24 * time.Hour
	overviewVerdicts = 30
	overviewOpen     = 50
)

// overview is the state of things now.
func (s *Server) overview(ctx context.Context) (*Overview, error) {
	v, now := ViewerOf(ctx), s.o.Now()
	o := &Overview{Time: now, Minutes: []Minute{}, Incidents: []incident.Incident{}, Sources: []Source{}}
	minutes, err := s.history(ctx).Minutes(ctx, now.Add(-overviewRates))
	if err != nil {
		return nil, err
	}
	for _, m := range minutes {
		o.Minutes = append(o.Minutes, Minute(m))
	}
	report, err := s.history(ctx).Report(ctx, store.ReportQuery{Since: now.Add(-overviewDay), Until: now, Rank: []osm.KeyKind{}})
	if err != nil {
		return nil, err
	}
	o.Day, o.total = hoursOf(report.Hours), CountsOf(report.Total)
	if o.Verdicts, err = s.judged(ctx, overviewVerdicts); err != nil {
		return nil, err
	}
	for _, i := range s.o.Incidents(v.Scope) {
		if i.Live() && len(o.Incidents) < overviewOpen {
			o.Incidents = append(o.Incidents, i)
		}
	}
	held, err := s.o.Held(HeldQuery{Count: true, Scope: v.Scope})
	if err != nil {
		return nil, err
	}
	o.Held = held.Held
	if v.May(SeeStatus) {
		st := s.o.Status(ctx)
		o.Mode, o.Sources = st.Mode, sources(&st)
	}
	return o, nil
}

// judged are the latest messages that something was found about.
func (s *Server) judged(ctx context.Context, most int) ([]Message, error) {
	page, err := s.history(ctx).Search(ctx, store.Filter{Judged: true, Limit: most, Since: s.o.Now().Add(-overviewDay)})
	if err != nil {
		return nil, err
	}
	return messagesOf(page.Messages), nil
}

// sources says of everything that osm depends on how it is.
func sources(st *Status) []Source {
	var all []Source
	for _, log := range st.Logs {
		all = append(all, logSource(&log))
	}
	history := Source{Name: "history", About: st.Store.Path, State: Good, Text: osm.Count(st.Store.Days, "day")}
	if st.Store.Problem != "" {
		history.State, history.Text, history.Since = Problem, st.Store.Problem, st.Store.Since
		history.Advised = "nothing is lost: the log is read on when it can be saved"
	}
	all = append(all, history)
	if st.Rights != "" && st.Held > 0 {
		all = append(all, Source{Name: "queue", About: "held mail", State: Problem, Text: st.Rights})
	}
	if st.Letters > 0 {
		all = append(all, Source{Name: "alerts", About: "alerts", State: Notice, Text: fmt.Sprintf("%d have not arrived yet", st.Letters)})
	}
	if st.Rules.Errors > 0 {
		all = append(all, Source{Name: "rules", About: "conditions of rules", State: Notice, Text: fmt.Sprintf("%d failed, the last: %s", st.Rules.Errors,
			st.Rules.LastError)})
	}
	for _, text := range st.Notices {
		all = append(all, Source{Name: "other", About: "daemon", State: Notice, Text: text})
	}
	return all
}

func logSource(log *tail.Status) Source {
	one := Source{Name: "log", About: log.Log, State: Good, Text: log.State.String(), Since: log.Since, Behind: log.Behind}
	switch {
	case log.State.Bad():
		one.State, one.Text = Problem, log.State.String()+": "+log.Error
		one.Advised = "it is read again as soon as it is there; set exim.log when Exim writes to another place now"
	case log.Gaps > 0 || len(log.Skipped) > 0:
		one.State, one.Text = Notice, fmt.Sprintf("lines may be missing (%s so far): %s", osm.Count(log.Gaps+int64(len(log.Skipped)), "time"), log.LastGap)
	}
	return one
}

// incidents lists what was found, the live ones first.
func (s *Server) incidents(ctx context.Context, all bool) []incident.Incident {
	list := append([]incident.Incident{}, s.o.Incidents(ViewerOf(ctx).Scope)...)
	if !all {
		list = slices.DeleteFunc(list, func(i incident.Incident) bool { return !i.Live() })
	}
	return list
}

// What the page of one incident shows.
const (
	incidentBefore = 24 * time.Hour
	incidentDeeds  = 50
	incidentLines  = 200
	incidentTraces = 3
)

// incidentPage is one incident with what belongs to it.
func (s *Server) incidentPage(ctx context.Context, id string) (*IncidentPage, error) {
	v := ViewerOf(ctx)
	i, ok := s.o.Incident(v.Scope, id)
	if !ok {
		return nil, ErrNotFound
	}
	p := &IncidentPage{Incident: i, Deeds: []policy.Deed{}, Hours: []Hour{}, Lines: []string{}, Held: s.heldOf(v, i.Key)}
	until := s.o.Now()
	if !i.Live() {
		until = i.Closed
	}
	story, err := s.history(ctx).Sender(ctx, store.SenderQuery{Key: i.Key, Since: i.Opened.Add(-incidentBefore), Until: until, Most: 1, Latest: 1})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	if err == nil {
		p.Hours = hoursOf(story.Hours)
	}
	if err := s.incidentEvidence(ctx, p); err != nil {
		return nil, err
	}
	if v.May(SeeAudit) {
		p.Deeds = s.deedsAbout(i.Key, incidentDeeds)
	}
	if v.May(SeeLists) {
		p.Entry = s.entryOf(i.Key)
	}
	return p, nil
}

// incidentEvidence adds the raw lines behind an incident's first samples.
func (s *Server) incidentEvidence(ctx context.Context, p *IncidentPage) error {
	for _, sample := range p.Samples[:min(len(p.Samples), incidentTraces)] {
		t, err := s.history(ctx).Trace(ctx, sample.ID)
		if errors.Is(err, store.ErrNotFound) {
			continue // not saved yet, or past its time
		}
		if err != nil {
			return err
		}
		p.Lines = append(p.Lines, t.Lines[:min(len(t.Lines), incidentLines-len(p.Lines))]...)
	}
	return nil
}

func (s *Server) heldOf(v *Viewer, key osm.Key) int {
	checked, err := policy.CheckKey(key)
	if err != nil {
		return 0
	}
	held, err := s.o.Held(HeldQuery{Key: checked, Scope: v.Scope})
	if err != nil {
		return 0
	}
	n := 0
	for _, g := range held.Groups {
		n += g.Messages
	}
	return n
}

func (s *Server) deedsAbout(key osm.Key, most int) []policy.Deed {
	checked, err := policy.CheckKey(key)
	all := []policy.Deed{}
	for _, d := range s.o.Deeds() {
		if (d.Key == key || err == nil && d.Key == checked) && len(all) < most {
			all = append(all, d)
		}
	}
	return all
}

func (s *Server) entryOf(key osm.Key) *policy.Entry {
	checked, err := policy.CheckKey(key)
	if err != nil {
		return nil
	}
	for _, e := range s.o.Lists() {
		if e.Key == checked {
			return &e
		}
	}
	return nil
}

// closeIncident ends an incident on a person's word.
func (s *Server) closeIncident(ctx context.Context, id, reason string) error {
	if _, ok := s.o.Incident(ViewerOf(ctx).Scope, id); !ok {
		return ErrNotFound
	}
	return s.o.Close(id, reason, self(ctx))
}

const (
	listRows  = 50
	listMost  = 500
	storyDays = 7 * 24 * time.Hour
)

// ranked are the kinds of keys that senders are ranked by.
var ranked = []osm.KeyKind{osm.KeyAccount, osm.KeyLogin, osm.KeyScript, osm.KeyClient, osm.KeySenderDomain, osm.KeySubject}

// senders ranks those who sent.
func (s *Server) senders(ctx context.Context, q SenderQuery) (*SenderList, error) {
	if q.Kind == osm.NoKey {
		q.Kind = osm.KeyAccount
	}
	if !slices.Contains(ranked, q.Kind) {
		return nil, fmt.Errorf("senders can't be ranked by %s: want one of %v", q.Kind, ranked)
	}
	orders := map[string]store.Order{"": store.ByMessages, "messages": store.ByMessages, "recipients": store.ByRecipients, "failed": store.ByFailed}
	order, ok := orders[q.Order]
	if !ok {
		return nil, fmt.Errorf("unknown order %q: want messages, recipients or failed", q.Order)
	}
	s.span(&q.Since, &q.Until, overviewDay)
	limit := min(max(q.Limit, 0), listMost)
	if limit == 0 {
		limit = listRows
	}
	report, err := s.report(ctx, store.ReportQuery{Since: q.Since, Until: q.Until, Limit: limit, Order: order, Rank: []osm.KeyKind{q.Kind}})
	if err != nil {
		return nil, err
	}
	list := &SenderList{Kind: q.Kind, Since: report.Since, Until: report.Until, Total: CountsOf(report.Total), Rows: []Top{}}
	for _, t := range report.Top[q.Kind] {
		list.Rows = append(list.Rows, Top{t.Value, CountsOf(t.Counts)})
	}
	return list, nil
}

// mostSpan is the longest time that is looked through at once.
const mostSpan = 366 * 24 * time.Hour

// span fills in a time that was not told, and cuts one that is too long.
func (s *Server) span(since, until *time.Time, usual time.Duration) {
	if until.IsZero() || until.After(s.o.Now()) {
		*until = s.o.Now()
	}
	if since.IsZero() || since.After(*until) {
		*since = until.Add(-usual)
	}
	if until.Sub(*since) > mostSpan {
		*since = until.Add(-mostSpan)
	}
}

// sender is all about one of them.
func (s *Server) sender(ctx context.Context, key osm.Key, since, until time.Time) (*Sender, error) {
	v := ViewerOf(ctx)
	s.span(&since, &until, overviewDay)
	story, err := s.history(ctx).Sender(ctx, store.SenderQuery{Key: key, Since: since, Until: until})
	if errors.Is(err, store.ErrNotFound) { // then it may have been there before, or only be known
		if story, err = s.quietSender(ctx, key, since, until); err != nil {
			return nil, err
		}
	}
	if err != nil {
		return nil, err
	}
	p := &Sender{Key: key, Accounts: append([]string{}, story.Accounts...), Since: since, Until: until, Total: CountsOf(story.Total), Hours: hoursOf(story.Hours),
		Complete: story.Complete, Clients: clientsOf(story.Clients), Domains: domainsOf(story.Domains), Answers: answersOf(story.Answers),
		Latest: messagesOf(story.Latest), Verdicts: messagesOf(story.Verdicts), Baseline: s.o.Baseline(v.Scope, key),
		Incidents: []incident.Incident{}, Limits: []Rule{}, Samples: []hold.Sample{}, Suspensions: []action.Suspension{}}
	for _, i := range s.o.Incidents(v.Scope) {
		if i.Key == key {
			p.Incidents = append(p.Incidents, i)
		}
	}
	return p, s.senderNow(v, p)
}

// quietSender is the story of one that sent nothing in the time asked about: whoever sent nothing at all is not found,
// unless the viewer sees everybody and the detection knows it.
func (s *Server) quietSender(ctx context.Context, key osm.Key, since, until time.Time) (*store.Story, error) {
	v := ViewerOf(ctx)
	_, err := s.history(ctx).Sender(ctx, store.SenderQuery{Key: key, Since: s.o.Now().Add(-storyDays), Until: s.o.Now(), Most: 1, Latest: 1})
	if errors.Is(err, store.ErrNotFound) && s.o.Baseline(v.Scope, key) == nil {
		return nil, ErrNotFound
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	story := &store.Story{Complete: true}
	for at := since.UTC().Truncate(time.Hour); at.Before(until); at = at.Add(time.Hour) {
		story.Hours = append(story.Hours, store.Hour{Start: at})
	}
	return story, nil
}

// senderNow adds what is in force about a sender at this moment.
func (s *Server) senderNow(v *Viewer, p *Sender) error {
	if checked, err := policy.CheckKey(p.Key); err == nil {
		held, err := s.o.Held(HeldQuery{Key: checked, Samples: 3, Scope: v.Scope})
		if err != nil {
			return err
		}
		for _, g := range held.Groups {
			p.Held += g.Messages
			p.Samples = append(p.Samples, g.Samples...)
		}
		for _, x := range s.o.Suspensions(v.Scope) {
			if x.Subject.Key == checked {
				p.Suspensions = append(p.Suspensions, x)
			}
		}
	}
	if v.May(SeeLists) {
		p.Entry = s.entryOf(p.Key)
	}
	if v.May(SeeRules) {
		for _, r := range s.o.Rules() {
			if r.Key == p.Key.Kind && r.Limit > 0 {
				p.Limits = append(p.Limits, r)
			}
		}
	}
	return nil
}

// lookMost is how many messages are looked through one by one for a part of a list: then the viewer is asked whether to go on.
const lookMost = 300_000

// messages lists what a filter finds, the newest first.
func (s *Server) messages(ctx context.Context, f store.Filter) (*MessagePage, error) {
	f.Limit, f.Most = min(max(f.Limit, 0), listMost), lookMost
	page, err := s.history(ctx).Search(ctx, f)
	if err != nil {
		return nil, err
	}
	return &MessagePage{Messages: messagesOf(page.Messages), Next: string(page.Next)}, nil
}

// trace is one message with all that is known.
func (s *Server) trace(ctx context.Context, id string) (*Trace, error) {
	t, err := s.history(ctx).Trace(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.traceOf(ctx, t), nil
}

// verdict finds a decision by its id.
func (s *Server) verdict(ctx context.Context, id string) (*Verdict, error) {
	found, err := s.history(ctx).Verdict(ctx, id)
	if err != nil {
		return nil, err
	}
	m := MessageOf(found)
	v := s.verdictOf(ctx, &found.Verdict, found.ID)
	v.Message = &m
	return v, nil
}

// delivery is how receivers take our mail.
func (s *Server) delivery(ctx context.Context, since, until time.Time) (*DeliveryReport, error) {
	s.span(&since, &until, overviewDay)
	report, err := s.report(ctx, store.ReportQuery{Since: since, Until: until, Rank: []osm.KeyKind{}})
	if err != nil {
		return nil, err
	}
	answers, err := s.answers(ctx, since, until)
	if err != nil {
		return nil, err
	}
	d := &DeliveryReport{Since: since, Until: until, Total: CountsOf(report.Total), Hours: hoursOf(report.Hours), Answers: answersOf(answers),
		Listings: []check.Listed{}, Watched: []string{}}
	if opinions := s.o.Opinions(); opinions != nil && ViewerOf(ctx).Scope.All {
		d.Listings, d.Watched, d.Checked = append(d.Listings, opinions.Listings...), append(d.Watched, opinions.Watched...), opinions.Checked
	}
	return d, nil
}

// hits are the rules in force, and how often each decided since a time.
func (s *Server) hits(ctx context.Context, since time.Time) ([]Rule, error) {
	until := s.o.Now()
	s.span(&since, &until, storyDays)
	counts, err := s.history(ctx).Hits(ctx, since)
	if err != nil {
		return nil, err
	}
	all := append([]Rule{}, s.o.Rules()...)
	for _, c := range counts {
		at := slices.IndexFunc(all, func(r Rule) bool { return strings.EqualFold(r.Name, c.Rule) })
		if at < 0 {
			at = len(all)
			all = append(all, Rule{Name: c.Rule, Built: true})
		}
		all[at].Hits, all[at].Stopped = c.Messages, c.Stopped
	}
	return all, nil
}

// auditMost is how many deeds are listed at once.
const auditMost = 1000

// audit is who changed what: the daemon's trail and that of the users' file, in one.
func (s *Server) audit(ctx context.Context, limit int) (*Audit, error) {
	if limit <= 0 || limit > auditMost {
		limit = auditMost
	}
	deeds := s.o.Deeds()
	changes, err := s.o.Access.Changes(ctx, limit)
	if err != nil {
		return nil, err
	}
	for _, c := range changes {
		deeds = append(deeds, policy.Deed{ID: c.ID, Time: c.Time, By: c.By, What: policy.What(c.What), Reason: strings.TrimPrefix(c.Whom+": "+c.Text, ": ")})
	}
	slices.SortStableFunc(deeds, func(a, b policy.Deed) int { return b.Time.Compare(a.Time) })
	a := &Audit{Deeds: append([]policy.Deed{}, deeds[:min(len(deeds), limit)]...)}
	a.More = len(deeds) - len(a.Deeds)
	return a, nil
}

// held is what is held of the viewer's mail.
func (s *Server) held(ctx context.Context, q HeldQuery) (*Held, error) {
	q.Scope = ViewerOf(ctx).Scope
	return s.o.Held(q)
}

// orderHeld releases or deletes held mail. Who may change no lists can't forgive or allow with it; a customer releases no
// more in a day than a sender may himself.
func (s *Server) orderHeld(ctx context.Context, o HeldOrder) (*HeldAnswer, error) {
	v := ViewerOf(ctx)
	need := ReleaseHeld
	if o.What == Delete {
		need = DeleteHeld
	}
	if !v.May(need) || (o.Once || o.Allow) && !v.May(ChangeLists) {
		return nil, errForbidden
	}
	o.Scope, o.Self = v.Scope, v.Role == access.Customer
	return s.o.OrderHeld(ctx, o, self(ctx))
}
