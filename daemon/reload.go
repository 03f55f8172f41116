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
var live = []string{"rule", "alert", "hold", "action", "policy.mode"}

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
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &web.Reloaded{Files: loaded.Files, Changed: []string{}, Restart: []string{}}
	for _, name := range changes("", reflect.ValueOf(s.cfg), reflect.ValueOf(loaded.Config)) {
		table, _, _ := strings.Cut(name, ".")
		if slices.Contains(live, table) || slices.Contains(live, name) {
			r.Changed = append(r.Changed, name)
		} else {
			r.Restart = append(r.Restart, name)
		}
	}
	if err := s.engine.Policy.SetRules(loaded.Rules); err != nil {
		return nil, err
	}
	s.use(&loaded.Config)
	return r, nil
}

// use puts what is live of a configuration into force.
func (s *session) use(cfg *config.Config) {
	s.cfg.Rules, s.cfg.Alert, s.cfg.Hold, s.cfg.Action, s.cfg.Policy.Mode = cfg.Rules, cfg.Alert, cfg.Hold, cfg.Action, cfg.Policy.Mode
	s.alarm.configure(*cfg)
	s.holds.configure(cfg.Hold)
	s.engine.Lane.Allow(cfg.Hold.FastLane)
	s.engine.Shadow = cfg.Policy.Mode == policy.Shadow
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
