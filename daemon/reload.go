package daemon

import (
	"reflect"
	"slices"
	"strings"

	"osm/config"
	"osm/policy"
	"osm/web"
)

// live are the tables and settings whose changes take effect without a restart. No state is lost by it.
var live = []string{"rule", "alert", "hold", "action", "incident", "check", "policy.mode", "store.keep", "store.max_size",
	"detect.suspect", "detect.stop", "detect.half_life", "detect.weights"}

// reload reads the configuration again, and the key of rewritten addresses where there was none. A file with a mistake
// changes nothing, and the error says why.
func (s *session) reload() (*web.Reloaded, error) {
	if s.options.Load == nil {
		return &web.Reloaded{}, nil
	}
	loaded, err := s.options.Load()
	if err != nil {
		return nil, err
	}
	if err := s.openRewriter(); err != nil {
		return nil, err
	}
	r, recheck, err := s.use(loaded)
	if err == nil && recheck {
		s.openChecks(loaded.Check)
	}
	return r, err
}

// takesEffect tells whether the change of a setting does, without a restart.
func takesEffect(name string) bool {
	within := func(table string) bool { return name == table || strings.HasPrefix(name, table+".") }
	return slices.ContainsFunc(live, within) && !within("check.arf") // its mailbox is being read
}

// use puts what is live of a configuration into force. recheck: the checks are to be opened anew, which is not done under the
// mutex.
func (s *session) use(loaded *config.Loaded) (r *web.Reloaded, recheck bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r = &web.Reloaded{Files: loaded.Files, Changed: []string{}, Restart: []string{}}
	for _, name := range changes("", reflect.ValueOf(s.cfg), reflect.ValueOf(loaded.Config)) {
		if takesEffect(name) {
			r.Changed = append(r.Changed, name)
		} else {
			r.Restart = append(r.Restart, name)
		}
	}
	if err := s.engine.Policy.SetRules(loaded.Rules); err != nil {
		return nil, false, err
	}
	was, cfg := s.cfg, &loaded.Config
	s.cfg.Rules, s.cfg.Alert, s.cfg.Hold, s.cfg.Action, s.cfg.Policy.Mode = cfg.Rules, cfg.Alert, cfg.Hold, cfg.Action, cfg.Policy.Mode
	s.cfg.Store.Keep, s.cfg.Store.MaxSize = cfg.Store.Keep, cfg.Store.MaxSize
	s.cfg.Incident, s.cfg.Detect, s.cfg.Check = cfg.Incident, cfg.Detect, cfg.Check
	s.cfg.Detect.Senders, s.cfg.Detect.Known = was.Detect.Senders, was.Detect.Known
	s.cfg.Check.ARF = was.Check.ARF
	s.alarm.configure(*cfg)
	s.alarm.book.Configure(cfg.Incident)
	s.holds.configure(cfg.Hold)
	s.store.Limit(cfg.Store)
	s.engine.Detect.Tune(cfg.Detect)
	s.engine.Lane.Allow(cfg.Hold.FastLane)
	s.engine.Shadow = cfg.Policy.Mode == policy.Shadow
	return r, !reflect.DeepEqual(was.Check, s.cfg.Check), nil
}

// changes names the settings that differ, as they are written in the file: TABLE.KEY, or TABLE for a list of tables.
func changes(prefix string, was, now reflect.Value) (names []string) {
	for i := range was.NumField() {
		field := was.Type().Field(i)
		a, b := was.Field(i), now.Field(i)
		name := prefix + field.Tag.Get("toml")
		switch {
		case reflect.DeepEqual(a.Interface(), b.Interface()):
		case field.Anonymous:
			names = append(names, changes(prefix, a, b)...)
		case a.Kind() == reflect.Struct:
			names = append(names, changes(name+".", a, b)...)
		default:
			names = append(names, name)
		}
	}
	return names
}
