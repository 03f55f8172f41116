package daemon

import (
	"context"
	"time"

	"osm"
	"osm/access"
	"osm/action"
	"osm/config"
	"osm/incident"
	"osm/policy"
	"osm/web"
)

// newWeb puts the pages and the API together. Nothing is opened yet.
func (s *session) newWeb() (*web.Server, error) {
	metrics, err := s.gatherer()
	if err != nil {
		return nil, err
	}
	return web.New(web.Options{
		Config: s.cfg.Web, Access: s.access, History: s.store.Reader, Logger: s.options.Logger, Now: time.Now, Zone: s.zone,
		Host: s.cfg.Alert.HostName(),

		Status:    s.status,
		Incidents: s.incidents,
		Incident:  func(scope access.Scope, id string) (incident.Incident, bool) { return s.incident(scope, id) },
		Close:     func(id, reason, by string) error { return s.closeIncident(id, reason, by, time.Now()) },
		Baseline:  func(scope access.Scope, key osm.Key) *web.Baseline { return s.baseline(scope, key, time.Now()) },
		Lists:     s.entries,
		Order:     func(o web.Order, by string) (policy.Deed, error) { return s.order(o, by, time.Now()) },
		Deeds:     s.audit,
		Undo:      func(id, by string) (policy.Deed, error) { return s.undo(id, by, time.Now()) },
		Held:      func(q web.HeldQuery) (*web.Held, error) { return s.held(q, time.Now()) },
		HeldOne: func(scope access.Scope, id string) (*web.HeldOne, error) {
			return s.heldOne(scope, id, time.Now())
		},
		OrderHeld: func(ctx context.Context, o web.HeldOrder, by string) (*web.HeldAnswer, error) {
			return s.orderHeld(ctx, o, by, time.Now())
		},
		Suspensions: s.suspensions,
		Suspend: func(o web.SuspendOrder, by string) (*web.SuspendAnswer, error) {
			return s.suspend(o, "", by, time.Now())
		},
		Means:     s.means,
		Rules:     s.rules,
		Letters:   func() []action.Letter { return s.alarm.outbox.Letters() },
		SendAgain: func(id, by string) error { return s.sendAgain(id, by, time.Now()) },
		Reload:    func(by string) (*web.Reloaded, error) { return s.reloadFor(by, time.Now()) },
		Settings:  s.settings,
		Doctor:    s.doctor,
		Opinions:  s.opinions,
		RuleCalls: s.ruleCalls(),
		Metrics:   metrics,
		Feed:      s.live,
	})
}

// openWeb opens the address of the pages, and returns what serves it.
func (s *session) openWeb(ctx context.Context) (func() error, error) { return s.web.Listen(ctx) }

// rules are those of the configuration, in the words of the API.
func (s *session) rules() []web.Rule {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []web.Rule
	for _, r := range s.cfg.Rules {
		all = append(all, web.Rule{Name: r.Name, When: r.When, Classes: r.Classes, Key: r.Key, Count: string(r.Count), Window: r.Window, Limit: r.Limit,
			Action: r.Action, Shadow: r.Shadow, Text: r.Text})
	}
	return all
}

// reloadFor reads the configuration again because somebody wants it.
func (s *session) reloadFor(by string, now time.Time) (*web.Reloaded, error) {
	r, err := s.reload()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ledger.Note(policy.Deed{What: web.Reread, By: by, Time: now})
	return r, nil
}

// inForce is the configuration in force, and where the files as they are now set it. The error is the files' mistakes.
func (s *session) inForce() (loaded *config.Loaded, err error) {
	loaded = &config.Loaded{}
	if s.options.Load != nil {
		read, mistakes := s.options.Load()
		if mistakes == nil {
			loaded = read
		}
		err = mistakes
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	loaded.Config = s.cfg // a change of some tables waits for a restart
	return loaded, err
}

// settings are those in force. While the files have mistakes it is not told where they are set: osm doctor tells the mistakes.
func (s *session) settings() []web.Setting {
	loaded, _ := s.inForce()
	var all []web.Setting
	for _, e := range loaded.Explain("") {
		all = append(all, web.Setting{Key: e.Key, Header: e.Header, Type: e.Type, Doc: e.Doc, Default: e.Default, Value: e.Value, Where: e.Where})
	}
	return all
}
