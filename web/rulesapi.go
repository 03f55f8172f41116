package web

import (
	"context"
	"net/http"
)

// RuleCalls are what the daemon does about rules. All are needed.
type RuleCalls struct {
	Own       func() OwnRules
	Try       func(change RuleChange, by string) (Trial, error)
	Trial     func(id string) (Trial, error)
	StopTrial func(id string) (Trial, error) // one that has ended stays as it is
	Save      func(change RuleChange, by string) (RulesSaved, error)
}

// addRules registers the operations about the administrator's rules.
func (s *Server) addRules() error {
	type named struct {
		ID string `path:"id" maxLength:"100"`
	}
	type change struct{ Body RuleChange }
	calls := &s.o.RuleCalls
	api(s, operation{"list-own-rules", http.MethodGet, "/rules/own", SeeRules, "The administrator's rules with their hits, and what was tried on the past."},
		func(context.Context, *none) (OwnRules, error) { return calls.Own(), nil })
	api(s, operation{"try-rules", http.MethodPost, "/rules/trials", TryRules,
		"Tries a change of the rules on the stored history, in the background; the answer tells the id to ask for."},
		func(ctx context.Context, in *change) (Trial, error) { return calls.Try(in.Body, self(ctx)) })
	api(s, operation{"get-trial", http.MethodGet, "/rules/trials/{id}", TryRules, "How far a trial is, and the difference it has found so far."},
		func(_ context.Context, in *named) (Trial, error) { return calls.Trial(in.ID) })
	api(s, operation{"stop-trial", http.MethodDelete, "/rules/trials/{id}", TryRules, "Cancels a trial that runs."},
		func(_ context.Context, in *named) (Trial, error) { return calls.StopTrial(in.ID) })
	api(s, operation{"save-rules", http.MethodPost, "/rules/own", ChangeRules,
		"Puts a change of the rules into force, in shadow unless it says otherwise. It stands in the audit trail and can be undone there."},
		func(ctx context.Context, in *change) (RulesSaved, error) { return calls.Save(in.Body, self(ctx)) })
	return nil
}
