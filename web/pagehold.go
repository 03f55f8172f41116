package web

import (
	"html/template"
	"net/http"
	"strings"
	"time"

	"osm"
	"osm/incident"
)

// heldView is what is held, in groups with samples.
type heldView struct {
	Held   *Held
	Groups []heldGroup
	Key    osm.Key
}

// heldGroup is a group as one has to decide about it.
type heldGroup struct {
	HeldGroup
	Key      osm.Key // whom it is charged to; without a value where groups are made otherwise
	Title    template.HTML
	Incident string // that goes on about it
	Why      template.HTML
}

const (
	heldSamples = 2
	heldListed  = 200
)

func (s *Server) heldPage(r *http.Request) (any, error) {
	q := HeldQuery{By: r.URL.Query().Get("by"), Samples: heldSamples}
	v := &heldView{}
	if r.URL.Query().Get("kind") != "" {
		key, err := keyOf(r)
		if err != nil {
			return nil, err
		}
		v.Key, q.Key, q.List = key, key, heldListed
	}
	held, err := s.held(r.Context(), q)
	if err != nil {
		return nil, err
	}
	v.Held = held
	say := s.pages.speechFor(r)
	for _, g := range held.Groups {
		one := heldGroup{HeldGroup: g, Title: isolate(cutRunes(say.phrase(g.Name), 200))}
		switch held.By {
		case "key":
			kind, value, _ := strings.Cut(g.Name, ":")
			if k, err := osm.ParseKeyKind(kind); err == nil {
				one.Key = osm.Key{Kind: k, Value: value}
			}
		case "reason":
			rule, reason, _ := strings.Cut(g.Name, ": ")
			one.Title = say.word("rule", rule)
			if reason != "" {
				one.Title += " – " + say.word("fact", reason)
			}
		}
		v.Groups = append(v.Groups, one)
	}
	if held.By == "key" {
		s.tellHeldGroups(r, say, v.Groups)
	}
	return v, nil
}

// tellHeldGroups says why the mail of each sender is held, as its incident does.
func (s *Server) tellHeldGroups(r *http.Request, say *speech, groups []heldGroup) {
	for _, i := range s.incidents(r.Context(), false) {
		for g := range groups {
			if groups[g].Key == i.Key && groups[g].Incident == "" {
				name := doubt(say, i.Rule)
				if i.State == incident.Stopped {
					name = say.word("rule", i.Rule)
				}
				groups[g].Incident, groups[g].Why = i.ID, name+" – "+isolate(say.phrase(cutRunes(i.Detail, 300)))
			}
		}
	}
}

func (s *Server) heldOnePage(r *http.Request) (any, error) {
	return s.o.HeldOne(ViewerOf(r.Context()).Scope, r.PathValue("id"))
}

// orderHeldForm releases or deletes what a form names.
func (s *Server) orderHeldForm(r *http.Request) (notice, error) {
	o := HeldOrder{What: Release, Verdict: r.PostFormValue("verdict"), Reason: cutBytes(r.PostFormValue("reason"), 1000)}
	switch r.PostFormValue("what") {
	case "delete":
		o.What = Delete
	case "release-trust":
		o.Once = true
	}
	if r.PostFormValue("once") != "" && ViewerOf(r.Context()).May(ChangeLists) {
		o.Once = true
	}
	o.IDs = r.PostForm["ids"]
	if len(o.IDs) == 0 && o.Verdict == "" {
		if r.PostFormValue("kind") == "" {
			return notice{Bad: true, Key: "said.nothing"}, nil
		}
		key, err := keyOf(r)
		if err != nil {
			return notice{}, err
		}
		o.Key = key
	}
	a, err := s.orderHeld(r.Context(), o)
	if err != nil {
		return notice{}, err
	}
	return tellHeld(a, s.o.Now()), nil
}

// tellHeld says how far an order about held mail has come.
func tellHeld(a *HeldAnswer, now time.Time) notice {
	n := notice{Deed: a.Deed, Pairs: []any{"n", a.Messages}}
	switch {
	case a.Messages == 0:
		return notice{Bad: true, Key: "said.nothing"}
	case len(a.Failed) > 0:
		n.Bad, n.Key, n.Lines, n.Deed = true, "said.partly", a.Failed, ""
		n.Pairs = append(n.Pairs, "done", a.Done)
	case a.What == Delete && a.Due.After(now):
		n.Key = "said.delete"
	case a.What == Delete:
		n.Key, n.Deed = "said.delete", ""
	case a.Done < min(a.Messages, len(a.IDs)):
		n.Key, n.Deed = "said.releasing", ""
	default:
		n.Key, n.Deed = "said.release", "" // what has been sent can't be called back
	}
	return n
}
