package web

import (
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
	What      string // leaking, left, held, stopped or over
	Tone      string
	Held      int
	Sentence  template.HTML
	Undoing   template.HTML
	Next      template.HTML // what remains to be done when osm was right; "" where nothing is known to help
	Strongest []osm.Finding
}

// Leaking tells whether its mail goes out all the same.
func (c *incidentCase) Leaking() bool { return c.What == "leaking" || c.What == "left" }

const (
	shownCases    = 3
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
	kinds := map[string]int{}
	for _, i := range o.Incidents {
		kinds[caseOf(&i, o.Mode, o.Time)]++
	}
	for _, i := range sortCases(o.Incidents, o.Mode, o.Time) {
		if len(v.Cases) == shownCases {
			v.MoreCases = len(o.Incidents) - shownCases
			break
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

// nowAnswer tells in a sentence whether spam is leaving and who sends it.
func nowAnswer(say *speech, v *nowView, kinds map[string]int) (a answer, err error) {
	write := func(key string, pairs ...any) template.HTML {
		words, failed := say.say(key, pairs...)
		if failed != nil {
			err = failed
		}
		return words
	}
	first := func(of ...string) template.HTML {
		for _, c := range v.Cases {
			if slices.Contains(of, c.What) {
				return isolate(cutRunes(c.Key.Value, 80))
			}
		}
		return ""
	}
	blind := false
	for _, source := range v.Sources {
		blind = blind || source.Name == "log" && source.State == Problem
	}
	switch leaking, left, stopped := kinds["leaking"], kinds["left"], kinds["held"]+kinds["stopped"]; {
	case blind:
		a = answer{Tone: "bad", Icon: "bad", Headline: write("now.blind"), Words: []template.HTML{write("now.blindWords")}}
	case leaking == 1:
		a = answer{Tone: "bad", Icon: "bad", Headline: write("now.leakOne", "who", first("leaking")), Words: []template.HTML{write("now.leakWords")}}
	case leaking > 1:
		a = answer{Tone: "bad", Icon: "bad", Headline: write("now.leakMany", "n", leaking), Words: []template.HTML{write("now.leakWords")}}
	case stopped == 1:
		a = answer{Tone: "warn", Icon: "good", Headline: write("now.stopOne", "who", first("held", "stopped")), Words: []template.HTML{write("now.stopWords")}}
	case stopped > 1:
		a = answer{Tone: "warn", Icon: "good", Headline: write("now.stopMany", "n", stopped), Words: []template.HTML{write("now.stopWords")}}
	case left > 0:
		a = answer{Tone: "warn", Icon: "info", Headline: write("now.left1", "n", left), Words: []template.HTML{write("now.leakWords")}}
	default:
		a = answer{Tone: "good", Icon: "good", Headline: write("now.calm"), Words: []template.HTML{write("now.calmWords", "n", v.Day.Messages)}}
		if v.Day.Messages == 0 {
			a.Words[0] = write("now.calmEmpty")
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

// caseOf says what is the matter with an incident: whether its mail leaves, waits or is refused.
func caseOf(i *incident.Incident, mode policy.Mode, now time.Time) string {
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
	}
	return "held"
}

// sortCases puts those whose mail leaves before those who have been stopped, and what is past behind.
func sortCases(all []incident.Incident, mode policy.Mode, now time.Time) []incident.Incident {
	sorted := slices.Clone(all)
	rank := map[string]int{"leaking": 0, "held": 1, "stopped": 1, "left": 2, "over": 3}
	slices.SortStableFunc(sorted, func(a, b incident.Incident) int { return rank[caseOf(&a, mode, now)] - rank[caseOf(&b, mode, now)] })
	return sorted
}

// caseFor puts an incident into sentences: what happened, what osm did, and how that is undone.
func (s *Server) caseFor(r *http.Request, say *speech, i incident.Incident, mode policy.Mode) (*incidentCase, error) {
	c := &incidentCase{Incident: i, Held: s.heldOf(ViewerOf(r.Context()), i.Key)}
	c.What = caseOf(&i, mode, s.o.Now())
	c.Tone = map[string]string{"leaking": "bad", "left": "warn", "held": "warn", "stopped": "warn", "over": "good"}[c.What]
	sentence, undo := "case."+c.What, map[string]string{"leaking": "case.undoLeaking", "left": "case.undoLeaking", "held": "case.undoHeld", "stopped": "case.undoStopped", "over": "case.undoOver"}[c.What]
	if c.What == "held" && c.Held == 0 {
		sentence, undo = "case.heldNone", "case.undoStopped"
	}
	if c.What == "stopped" && c.Held > 0 {
		undo = "case.undoHeld"
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
	Page    *IncidentPage
	Picture template.HTML
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
	return &incidentView{incidentCase: *c, Page: p, Picture: s.pages.incidentPicture(say, p)}, nil
}
