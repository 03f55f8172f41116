package web

import (
	"net/http"
	"strings"

	"osm"
	"osm/policy"
)

// addForms registers what the pages' forms do. Each order is the API's own, under the same right.
func (s *Server) addForms() {
	s.form("/lists", ChangeLists, "/lists", s.orderForm)
	s.form("/suspensions", ChangeSuspended, "/lists", s.suspendForm)
	s.form("/held", SeeHeld, "/held", s.orderHeldForm) // orderHeld asks for the right that the order takes
	s.form("/incidents/{id}/close", CloseIncidents, "/incidents", func(r *http.Request) (notice, error) {
		return notice{Key: "said.closed"}, s.closeIncident(r.Context(), r.PathValue("id"), cutBytes(r.PostFormValue("reason"), 1000))
	})
	s.form("/audit/{id}/undo", UndoDeeds, "/audit", func(r *http.Request) (notice, error) {
		_, err := s.o.Undo(r.PathValue("id"), self(r.Context()))
		return notice{Key: "said.undone"}, err
	})
	s.form("/alerts/{id}/again", ResendLetters, "/alerts", func(r *http.Request) (notice, error) {
		return notice{Key: "said.again"}, s.o.SendAgain(r.PathValue("id"), self(r.Context()))
	})
	s.form("/settings/reload", ReloadConfig, "/settings", func(r *http.Request) (notice, error) {
		done, err := s.o.Reload(self(r.Context()))
		if err == nil && len(done.Restart) > 0 {
			return notice{Key: "said.restart", Pairs: []any{"what", strings.Join(done.Restart, ", ")}}, nil
		}
		return notice{Key: "said.reloaded"}, err
	})
	s.addUserForms()
	s.addOwnForms()
	s.addRuleForms()
}

// form registers what a form does: the order is carried out, and the page that follows tells what came of it.
func (s *Server) form(path string, need Right, otherwise string, do func(r *http.Request) (notice, error)) {
	s.handle(http.MethodPost, path, need, func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil {
			s.failPage(w, r, http.StatusBadRequest, err.Error())
			return
		}
		n, err := do(r)
		s.pages.counts.forget()
		if err != nil {
			_, text := s.problem(err)
			n = notice{Bad: true, Key: "said.failed", Pairs: []any{"why", text}}
		}
		s.pages.say(w, r, s.pages.back(r, otherwise), n)
	})
}

// spanOf reads how long something is to last; "" is for good.
func spanOf(r *http.Request) (osm.Duration, error) {
	text := r.PostFormValue("for")
	if text == "" {
		return 0, nil
	}
	return osm.ParseDuration(text)
}

func (s *Server) orderForm(r *http.Request) (notice, error) {
	key, err := keyOf(r)
	if err != nil {
		return notice{}, err
	}
	o := Order{What: policy.What(r.PostFormValue("what")), Key: key, Reason: cutBytes(r.PostFormValue("reason"), 1000)}
	if o.For, err = spanOf(r); err != nil {
		return notice{}, err
	}
	d, err := s.o.Order(o, self(r.Context()))
	if err != nil {
		return notice{}, err
	}
	n := notice{Key: "said." + string(o.What), Pairs: []any{"who", key.Value}}
	if undoable(d) {
		n.Deed = d.ID
	}
	if id := r.PostFormValue("incident"); id != "" && ViewerOf(r.Context()).May(CloseIncidents) { // whoever is trusted again is no case any more
		return n, s.closeIncident(r.Context(), id, o.Reason)
	}
	return n, nil
}

func (s *Server) suspendForm(r *http.Request) (notice, error) {
	key, err := keyOf(r)
	if err != nil {
		return notice{}, err
	}
	o := SuspendOrder{What: policy.What(r.PostFormValue("what")), Key: key, Reason: cutBytes(r.PostFormValue("reason"), 1000)}
	if o.For, err = spanOf(r); err != nil {
		return notice{}, err
	}
	a, err := s.o.Suspend(o, self(r.Context()))
	if err != nil {
		return notice{}, err
	}
	n := notice{Key: "said." + string(o.What), Pairs: []any{"who", key.Value}, Lines: a.Steps}
	if len(a.Deeds) == 1 && o.What == Suspend {
		n.Deed = a.Deeds[0].ID
	}
	return n, nil
}

// undoable tells whether a deed can be taken back: what was there before can be put there again, or the daemon can.
func undoable(d policy.Deed) bool {
	if d.Undone != "" || d.What == policy.Undo {
		return false
	}
	return d.Before != nil || d.After != nil || d.What == Delete || d.What == Suspend || d.What == SaveRule || d.What == RemoveRule
}
