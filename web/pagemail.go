package web

import (
	"cmp"
	"errors"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"osm"
	"osm/action"
	"osm/hold"
	"osm/policy"
	"osm/store"
)

// sendersView is a ranking of senders.
type sendersView struct {
	*SenderList
	Kinds     []osm.KeyKind
	SinceName string
	Order     string
}

func (s *Server) sendersPage(r *http.Request) (any, error) {
	q := SenderQuery{Kind: osm.KeyLogin, Order: cmp.Or(r.URL.Query().Get("order"), "messages")}
	if name := r.URL.Query().Get("kind"); name != "" {
		kind, err := osm.ParseKeyKind(name)
		if err != nil {
			return nil, err
		}
		q.Kind = kind
	}
	name, since := s.sinceOf(r, "24h", lookBacks)
	q.Since = since
	list, err := s.senders(r.Context(), q)
	if err != nil {
		return nil, err
	}
	kinds := []osm.KeyKind{osm.KeyLogin, osm.KeyAccount, osm.KeyScript, osm.KeyClient, osm.KeySenderDomain, osm.KeySubject}
	return &sendersView{SenderList: list, Kinds: kinds, SinceName: name, Order: q.Order}, nil
}

// senderView is all about one sender.
type senderView struct {
	*Sender
	answer
	Sentence     template.HTML
	Notes        []template.HTML
	DayPicture   template.HTML
	MonthPicture template.HTML
	AllMessages  string
	Means        action.Means // by which it can be suspended, besides the list, where a block is the same
}

const (
	senderSpan = 7 * 24 * time.Hour
	hoursShown = 24
)

// keyOf reads a key from a query or a form.
func keyOf(r *http.Request) (osm.Key, error) {
	kind, err := osm.ParseKeyKind(r.FormValue("kind"))
	if err != nil {
		return osm.Key{}, ErrNotFound
	}
	return osm.Key{Kind: kind, Value: r.FormValue("value")}, nil
}

func (s *Server) senderPage(r *http.Request) (any, error) {
	key, err := keyOf(r)
	if err != nil {
		return nil, err
	}
	sender, err := s.sender(r.Context(), key, s.o.Now().Add(-senderSpan), time.Time{})
	if err != nil {
		return nil, err
	}
	say := s.pages.speechFor(r)
	v := &senderView{Sender: sender}
	if err := s.tellSender(say, v); err != nil {
		return nil, err
	}
	day := sender.Hours[max(0, len(sender.Hours)-hoursShown):]
	busiest := 0.0
	for _, h := range sender.Hours[:len(sender.Hours)-len(day)] {
		busiest = max(busiest, float64(h.Recipients-min(h.Stopped, h.Recipients)))
	}
	v.DayPicture, v.MonthPicture = s.pages.senderPicture(say, day, busiest), s.pages.daysPicture(say, sender.Hours)
	field := map[osm.KeyKind]string{osm.KeyLogin: "login", osm.KeyAccount: "account", osm.KeyScript: "script", osm.KeyClient: "client",
		osm.KeySender: "sender", osm.KeyUser: "user", osm.KeySubject: "subject"}[key.Kind]
	value := key.Value
	if key.Kind == osm.KeySenderDomain {
		field, value = "sender", "*@"+key.Value
	}
	v.AllMessages = s.pages.link("/messages", field, value)
	for _, m := range s.o.Means() {
		if v.Means == "" && m != action.ByList {
			v.Means = m
		}
	}
	return v, nil
}

// tellSender says what is in force about a sender.
func (s *Server) tellSender(say *speech, v *senderView) error {
	var failed error
	write := func(key string, pairs ...any) template.HTML {
		words, err := say.say(key, pairs...)
		failed = errors.Join(failed, err)
		return words
	}
	note := func(key string, pairs ...any) { v.Notes = append(v.Notes, write(key, pairs...)) }
	live, watched := 0, false
	for _, i := range v.Incidents {
		if i.Live() {
			live++
			watched = watched || i.Passive
		}
	}
	v.Tone, v.Sentence = "good", write("sender.calm")
	switch {
	case v.Baseline != nil && v.Baseline.Stopped && watched:
		v.Tone, v.Sentence = "bad", write("sender.suspected")
	case v.Baseline != nil && v.Baseline.Stopped && v.Baseline.Score < v.Baseline.Stop:
		v.Tone, v.Sentence = "warn", write("sender.held")
	case v.Baseline != nil && v.Baseline.Stopped:
		v.Tone, v.Sentence = "bad", write("sender.stopped")
	case live > 0:
		v.Tone, v.Sentence = "warn", write("sender.live", "n", live)
	case v.Baseline == nil:
		v.Tone, v.Sentence = "", write("sender.unknown")
	}
	if e := v.Entry; e != nil {
		key := "sender.blocked"
		if e.Allow {
			key = "sender.allowed"
		}
		words := write(key)
		if !e.Until.IsZero() {
			words += " " + write("sender.until", "time", say.time(e.Until.In(s.o.Zone), "moment"))
		}
		if e.Reason != "" {
			words += " " + write("sender.listReason", "reason", isolate(say.phrase(cutRunes(e.Reason, 300))))
		}
		v.Notes = append(v.Notes, words)
	}
	for _, x := range v.Suspensions {
		if x.Live() {
			note("sender.suspended", "means", say.word("means", x.Means))
		}
	}
	if len(v.Accounts) > 0 && v.Key.Kind != osm.KeyAccount {
		note("sender.accounts", "who", isolate(strings.Join(v.Accounts[:min(len(v.Accounts), 5)], ", ")))
	}
	return failed
}

// messagesView is a search and what it found.
type messagesView struct {
	*MessagePage
	Asked     map[string]string
	MoreAsked bool
	Classes   []osm.Class
	Refusals  []osm.Refusal
	Problem   string
	Earlier   string
	Start     string
}

const messagesShown = 50

func (s *Server) messagesPage(r *http.Request) (any, error) {
	q := r.URL.Query()
	v := &messagesView{MessagePage: &MessagePage{}, Asked: map[string]string{}, Classes: osm.Classes(), Refusals: osm.Refusals()}
	for _, name := range []string{"sender", "recipient", "subject", "login", "account", "client", "action", "since", "script", "user", "class", "outcome",
		"refusal"} {
		v.Asked[name] = strings.TrimSpace(q.Get(name))
		v.MoreAsked = v.MoreAsked || v.Asked[name] != "" && slices.Contains([]string{"script", "user", "class", "outcome", "refusal"}, name)
	}
	asked := filter{Sender: v.Asked["sender"], Recipient: v.Asked["recipient"], Subject: v.Asked["subject"], Login: v.Asked["login"],
		Account: v.Asked["account"], Client: v.Asked["client"], Script: v.Asked["script"], User: v.Asked["user"], Outcome: v.Asked["outcome"],
		Refusal: v.Asked["refusal"], Action: v.Asked["action"], Limit: messagesShown, After: q.Get("after")}
	if back := lookBacks[v.Asked["since"]]; back > 0 {
		asked.Since = s.o.Now().Add(-back)
	}
	if asked.Action == "judged" {
		asked.Action, asked.Judged = "", true
	}
	f, err := asked.store()
	if err == nil && v.Asked["class"] != "" {
		f.Class, err = osm.ParseClass(v.Asked["class"])
	}
	var page *MessagePage
	if err == nil {
		page, err = s.messages(r.Context(), f)
	}
	var history *store.Error
	switch {
	case errors.As(err, &history):
		return nil, err
	case err != nil: // what was asked can't be: it is told beside the form
		v.Problem = err.Error()
		return v, nil
	}
	v.MessagePage = page
	if page.Next != "" {
		v.Earlier = s.with(r, "after", page.Next)
	}
	if q.Get("after") != "" {
		v.Start = s.with(r, "after", "")
	}
	return v, nil
}

// messageView is one message's story.
type messageView struct {
	*Trace
	Tone     string
	Sentence template.HTML
	Held     bool
}

// repeated is an event that happened so many times again, one after the other: what is frozen says so at each run of the queue.
type repeated struct {
	Event
	Again int
}

// Events are the message's, without repetitions.
func (v *messageView) Events() (all []repeated) {
	for _, e := range v.Trace.Events {
		if last := len(all) - 1; last >= 0 && all[last].Kind == e.Kind && all[last].Text == e.Text {
			all[last].Again++
			continue
		}
		all = append(all, repeated{Event: e})
	}
	return all
}

func (s *Server) messagePage(r *http.Request) (any, error) {
	t, err := s.trace(r.Context(), r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	v := &messageView{Trace: t, Tone: toneOf(t.Action)}
	if ViewerOf(r.Context()).May(SeeHeld) {
		one, err := s.o.HeldOne(ViewerOf(r.Context()).Scope, t.ID)
		v.Held = err == nil && one.State == hold.Held
	}
	say := s.pages.speechFor(r)
	count, err := say.say("case.recipients", "n", t.Count)
	if err != nil {
		return nil, err
	}
	v.Sentence, err = say.say("message.sentence", "from", cmp.Or(t.Sender, "<>"), "recipients", count, "time", say.time(t.Time.In(s.o.Zone), "moment"))
	if err != nil {
		return nil, err
	}
	key := map[bool]string{true: "message.waits"}[v.Held]
	switch {
	case t.Passive && t.Action != osm.Accept:
		key, v.Tone = "verdict.passive", "warn"
	case t.Action == osm.Reject || t.Action == osm.Discard:
		key = "message.refusedIt"
	}
	if key != "" {
		more, err := say.say(key)
		v.Sentence += " " + more
		return v, err
	}
	return v, nil
}

func toneOf(a osm.Action) string {
	switch a {
	case osm.Accept:
		return "good"
	case osm.Reject, osm.Discard:
		return "bad"
	}
	return "warn"
}

// verdictView is a decision with what it rests on.
type verdictView struct {
	*Verdict
	Tone      string
	Sentence  template.HTML
	MessageID string
	Entry     *policy.Entry
}

func (s *Server) verdictPage(r *http.Request) (any, error) {
	d, err := s.verdict(r.Context(), r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	v := &verdictView{Verdict: d, Tone: toneOf(d.Action), MessageID: d.Message.ID}
	if ViewerOf(r.Context()).May(SeeLists) {
		v.Entry = s.entryOf(d.Key)
	}
	say := s.pages.speechFor(r)
	who := say.word("key", d.Key.Kind) + " " + isolate(cutRunes(d.Key.Value, 120))
	v.Sentence, err = say.say("verdict.sentence", "time", say.time(d.Message.Time.In(s.o.Zone), "moment"), "action", say.word("action", d.Action), "who", who)
	key := ""
	switch {
	case d.Shadow:
		key = "verdict.trial"
	case d.Passive && d.Action != osm.Accept:
		key, v.Tone = "verdict.passive", "warn"
	}
	if err == nil && key != "" {
		var more template.HTML
		more, err = say.say(key)
		v.Sentence += " " + more
	}
	return v, err
}

// deliveryView is how receivers take our mail.
type deliveryView struct {
	*DeliveryReport
	answer
	SinceName      string
	Outcomes       template.HTML
	Refusals       template.HTML
	ListingPicture template.HTML
}

// badShare is the part of recipients refused from which a page says so: 5 of 100 is what large receivers begin to mind.
const badShare = 0.05

// answersShown is how many receivers' answers stand on the page: the API has more.
const answersShown = 60

func (s *Server) deliveryPage(r *http.Request) (any, error) {
	name, since := s.sinceOf(r, "24h", map[string]time.Duration{"24h": lookBacks["24h"], "7d": lookBacks["7d"], "30d": lookBacks["30d"]})
	d, err := s.delivery(r.Context(), since, time.Time{})
	if err != nil {
		return nil, err
	}
	say := s.pages.speechFor(r)
	d.Answers = d.Answers[:min(len(d.Answers), answersShown)]
	v := &deliveryView{DeliveryReport: d, SinceName: name, Outcomes: s.pages.hoursPicture(say, d.Hours, "delivery.outcomes"),
		Refusals: s.pages.refusalPicture(say, d.Hours, d.Total), ListingPicture: s.pages.listingPicture(say, d.Listings, s.o.Now())}
	write := func(key string, pairs ...any) template.HTML {
		words, failed := say.say(key, pairs...)
		err = errors.Join(err, failed)
		return words
	}
	all := d.Total.Delivered + d.Total.Failed
	share := say.share(d.Total.Failed, all)
	listed := 0
	for _, l := range d.Listings {
		if l.Until.IsZero() {
			listed++
		}
	}
	switch {
	case listed > 0:
		v.answer = answer{Tone: "bad", Icon: "bad", Headline: write("delivery.listed", "n", listed)}
	case all == 0:
		v.answer = answer{Icon: "info", Headline: write("delivery.empty")}
	case float64(d.Total.Failed) > badShare*float64(all):
		v.answer = answer{Tone: "bad", Icon: "bad", Headline: write("delivery.bad", "share", template.HTML(share))}
	case d.Total.Failed > 0:
		v.answer = answer{Tone: "good", Icon: "good", Headline: write("delivery.some", "share", template.HTML(share))}
	default:
		v.answer = answer{Tone: "good", Icon: "good", Headline: write("delivery.fine")}
	}
	if n := d.Total.Refusals[osm.Spam.String()]; n > 0 {
		v.Words = append(v.Words, write("delivery.spam", "n", n))
	}
	if n := d.Total.Refusals[osm.NoSuchUser.String()]; n > 0 {
		v.Words = append(v.Words, write("delivery.unknown", "n", n))
	}
	return v, err
}

// find leads from the search box to what is meant: a message, a verdict, an incident or a sender.
func (s *Server) find(w http.ResponseWriter, r *http.Request) {
	asked := strings.TrimSpace(r.URL.Query().Get("q"))
	to, err := s.meant(r, asked)
	if err != nil {
		status, text := s.problem(err)
		s.failPage(w, r, status, text)
		return
	}
	if to != "" {
		http.Redirect(w, r, to, http.StatusSeeOther)
		return
	}
	s.draw(w, r, http.StatusOK, &look{template: "find"}, map[string]any{"Asked": cutRunes(asked, 200),
		"Messages": s.pages.link("/messages") + "?" + url.Values{"subject": {asked}}.Encode()})
}
