package web

import (
	"cmp"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"time"

	"osm"
	"osm/incident"
	"osm/policy"
)

// nowView is the first page: what is the matter, what can be done about it, and then the numbers.
type nowView struct {
	*Overview
	answer
	Day        Counts // the sum of the last 24 hours
	Cases      []*incidentCase
	MoreCases  int
	Rate       template.HTML
	DayPicture template.HTML
}

// answer is what a page has to say, in one sentence and some more.
type answer struct {
	Tone     string // good, warn or bad
	Icon     string
	Headline template.HTML
	Words    []template.HTML
}

// incidentCase is an incident as one has to decide about it.
type incidentCase struct {
	incident.Incident
	What      string // leaking, left, held, freed, stopped or over
	Tone      string
	Name      template.HTML // of its rule; with a question mark where the detection is not sure
	Meaning   string        // of its name, where it is sure
	Held      int
	Sentence  template.HTML
	Undoing   template.HTML
	Next      template.HTML // what remains to be done when osm was right; "" where nothing is known to help
	Strongest []osm.Finding
}

// Leaking tells whether its mail goes out all the same.
func (c *incidentCase) Leaking() bool { return c.What == "leaking" || c.What == "left" }

const (
	shownCases    = 4
	shownFindings = 2
	leakFor       = time.Hour // after the latest message its sender is no longer said to be sending
)

func (s *Server) nowPage(r *http.Request) (any, error) {
	o, err := s.overviewFor(r)
	if err != nil {
		return nil, err
	}
	say := s.pages.speechFor(r)
	v := &nowView{Overview: o, Day: o.total}
	waits, err := s.waiting(r)
	if err != nil {
		return nil, err
	}
	kindOf := func(i *incident.Incident) string { return caseOf(i, o.Mode, o.Time, waits(i.Key)) }
	kinds := map[string][]string{} // who is in each
	for _, i := range sortCases(o.Incidents, kindOf) {
		kinds[kindOf(&i)] = append(kinds[kindOf(&i)], i.Key.Value)
		if len(v.Cases) == shownCases {
			v.MoreCases++
			continue
		}
		c, err := s.caseFor(r, say, i, o.Mode)
		if err != nil {
			return nil, err
		}
		v.Cases = append(v.Cases, c)
	}
	if v.answer, err = nowAnswer(say, v, kinds); err != nil {
		return nil, err
	}
	v.Rate = s.pages.ratePicture(say, o.Minutes, o.Time)
	v.DayPicture = s.pages.hoursPicture(say, o.Day, "now.day")
	return v, nil
}

// waiting tells of whom mail is held.
func (s *Server) waiting(r *http.Request) (func(osm.Key) bool, error) {
	held, err := s.held(r.Context(), HeldQuery{By: "key"})
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, g := range held.Groups {
		names[g.Name] = true
	}
	return func(k osm.Key) bool { return names[k.String()] || held.More > 0 }, nil
}

// nowAnswer tells in a sentence whether spam is leaving and who sends it.
func nowAnswer(say *speech, v *nowView, kinds map[string][]string) (a answer, err error) {
	write := func(key string, pairs ...any) template.HTML {
		words, failed := say.say(key, pairs...)
		if failed != nil {
			err = failed
		}
		return words
	}
	blind := false
	for _, source := range v.Sources {
		blind = blind || source.Name == "log" && source.State == Problem
	}
	// tell says it of the one that there is, or of how many.
	tell := func(tone, icon, kind, words string) answer {
		a := answer{Tone: tone, Icon: icon, Words: []template.HTML{write("now." + words + "Words")}}
		if who := kinds[kind]; len(who) == 1 {
			a.Headline = write("now."+words+"One", "who", isolate(cutRunes(who[0], 80)))
		} else {
			a.Headline = write("now."+words+"Many", "n", len(who))
		}
		return a
	}
	switch held := len(kinds["held"]); {
	case blind:
		a = answer{Tone: "bad", Icon: "bad", Headline: write("now.blind"), Words: []template.HTML{write("now.blindWords")}}
	case len(kinds["leaking"]) > 0:
		a = tell("bad", "bad", "leaking", "leak")
	case len(kinds["stopped"]) > 0:
		a = tell("warn", "good", "stopped", "stop")
		if held > 0 {
			a.Words = append(a.Words, write("now.holdToo", "n", held))
		}
	case held > 0:
		a = tell("warn", "held", "held", "hold")
	case len(kinds["left"]) > 0:
		a = answer{Tone: "warn", Icon: "info", Headline: write("now.left1", "n", len(kinds["left"])), Words: []template.HTML{write("now.leakWords")}}
	default:
		a = answer{Tone: "good", Icon: "good", Headline: write("now.calm"), Words: []template.HTML{write("now.calmWords", "n", v.Day.Messages)}}
		if v.Day.Messages == 0 {
			a.Words[0] = write("now.calmEmpty")
		}
		if n := len(kinds["freed"]); n > 0 {
			a.Words[0] = write("now.freed", "n", n)
		}
		if v.Held > 0 {
			a.Words = append(a.Words, write("now.calmHeld", "n", v.Held))
		}
	}
	if v.Mode == policy.Shadow {
		a.Words = append(a.Words, write("now.shadow"))
	}
	return a, err
}

// caseOf says what is the matter with an incident: whether its mail leaves, waits or is refused. What was held and waits no more is
// freed, whether it was sent or deleted.
func caseOf(i *incident.Incident, mode policy.Mode, now time.Time, waits bool) string {
	switch {
	case !i.Live():
		return "over"
	case i.Passive || mode == policy.Shadow || i.Action == osm.Accept:
		if now.Sub(i.Updated) > leakFor {
			return "left"
		}
		return "leaking"
	case i.State == incident.Stopped || i.Action == osm.Reject || i.Action == osm.Discard:
		return "stopped"
	case !waits:
		return "freed"
	}
	return "held"
}

// sortCases puts those whose mail leaves first, then those of whom osm asks what they are, those it has stopped, and what is past;
// the largest first in each.
func sortCases(all []incident.Incident, kindOf func(*incident.Incident) string) []incident.Incident {
	sorted := slices.Clone(all)
	rank := map[string]int{"leaking": 0, "held": 1, "stopped": 2, "freed": 3, "left": 4, "over": 5}
	slices.SortStableFunc(sorted, func(a, b incident.Incident) int {
		return cmp.Or(rank[kindOf(&a)]-rank[kindOf(&b)], cmp.Compare(b.Recipients, a.Recipients))
	})
	return sorted
}

// caseFor puts an incident into sentences: what happened, what osm did, and how that is undone.
func (s *Server) caseFor(r *http.Request, say *speech, i incident.Incident, mode policy.Mode) (*incidentCase, error) {
	c := &incidentCase{Incident: i, Held: s.heldOf(ViewerOf(r.Context()), i.Key)}
	c.What = caseOf(&i, mode, s.o.Now(), c.Held > 0)
	c.Tone = map[string]string{"leaking": "bad", "left": "warn", "held": "warn", "freed": "warn", "stopped": "warn", "over": "good"}[c.What]
	c.Name = doubt(say, i.Rule)
	if c.What == "stopped" {
		c.Name, c.Meaning = say.word("rule", i.Rule), say.plainText("rulewords."+i.Rule)
	}
	sentence, undo := "case."+c.What, map[string]string{"leaking": "case.undoLeaking", "left": "case.undoLeaking", "held": "case.undoHeld", "freed": "case.undoStopped", "stopped": "case.undoStopped", "over": "case.undoOver"}[c.What]
	if c.What == "stopped" && c.Held > 0 {
		undo = "case.undoHeld"
	}
	if c.What == "stopped" && c.Meaning == "" { // a list or a rule of one's own spares nobody
		sentence = "case.refused"
	}
	messages, err := say.say("case.messages", "n", i.Messages)
	if err != nil {
		return nil, err
	}
	recipients, err := say.say("case.recipients", "n", i.Recipients)
	if err != nil {
		return nil, err
	}
	when := func(t time.Time) template.HTML { return say.time(t.In(s.o.Zone), "moment") }
	if c.Sentence, err = say.say(sentence, "messages", messages, "recipients", recipients, "since", when(i.Opened), "until", when(i.Updated)); err != nil {
		return nil, err
	}
	if c.Undoing, err = say.say(undo); err != nil {
		return nil, err
	}
	if key := "next." + i.Rule; i.Live() && say.plainText(key) != "" {
		if c.Next, err = say.say(key, "who", cutRunes(i.Key.Value, 200)); err != nil {
			return nil, err
		}
	}
	for _, f := range i.Findings {
		if f.Weight > 0 && len(c.Strongest) < shownFindings {
			c.Strongest = append(c.Strongest, f)
		}
	}
	return c, nil
}

// doubt is a rule's name with a question mark, when it is the detection's: rules of one's own are sure.
func doubt(say *speech, rule string) template.HTML {
	name := say.word("rule", rule)
	if say.plainText("rulewords."+rule) != "" {
		name += "?"
	}
	return name
}

// incidentsView is the list of incidents.
type incidentsView struct {
	State string // live, closed or all
	List  []incident.Incident
}

func (s *Server) incidentsPage(r *http.Request) (any, error) {
	v := &incidentsView{State: r.URL.Query().Get("state")}
	if v.State != "closed" && v.State != "all" {
		v.State = "live"
	}
	for _, i := range s.incidents(r.Context(), v.State != "live") {
		if (v.State != "closed" || !i.Live()) && len(v.List) < listMost {
			v.List = append(v.List, i)
		}
	}
	return v, nil
}

// incidentView is the page of one.
type incidentView struct {
	incidentCase
	Page     *IncidentPage
	Baseline *Baseline // of its sender; nil when nothing is known
	Picture  template.HTML
}

// Deeds are what was done about its sender.
func (v *incidentView) Deeds() []policy.Deed { return v.Page.Deeds }

// Lines are those of the log behind its first samples.
func (v *incidentView) Lines() []string { return v.Page.Lines }

// Entry is where its sender is on a list.
func (v *incidentView) Entry() *policy.Entry { return v.Page.Entry }

func (s *Server) oneIncidentPage(r *http.Request) (any, error) {
	p, err := s.incidentPage(r.Context(), r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	say := s.pages.speechFor(r)
	mode := policy.Live
	if v := ViewerOf(r.Context()); v.May(SeeStatus) {
		mode = s.o.Status(r.Context()).Mode
	}
	c, err := s.caseFor(r, say, p.Incident, mode)
	if err != nil {
		return nil, fmt.Errorf("tell of incident %s: %w", p.ID, err)
	}
	return &incidentView{incidentCase: *c, Page: p, Baseline: s.o.Baseline(ViewerOf(r.Context()).Scope, p.Key), Picture: s.pages.incidentPicture(say, p)}, nil
}
