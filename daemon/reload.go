package daemon

import (
	"reflect"
	"slices"

	"osm/web"
)

// live are the tables whose changes take effect without a restart. No state is lost by it.
var live = []string{"rule", "alert"}

// reload reads the configuration again. A file with a mistake changes nothing, and the error says why.
func (s *session) reload() (*web.Reloaded, error) {
	if s.options.Load == nil {
		return &web.Reloaded{}, nil
	}
	loaded, err := s.options.Load()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &web.Reloaded{Files: loaded.Files, Changed: []string{}, Restart: []string{}}
	was, now := reflect.ValueOf(s.cfg), reflect.ValueOf(loaded.Config)
	for i := range was.NumField() {
		name := was.Type().Field(i).Tag.Get("toml")
		switch {
		case reflect.DeepEqual(was.Field(i).Interface(), now.Field(i).Interface()):
		case slices.Contains(live, name):
			r.Changed = append(r.Changed, name)
		default:
			r.Restart = append(r.Restart, name)
		}
	}
	if err := s.engine.Policy.SetRules(loaded.Rules); err != nil {
		return nil, err
	}
	s.cfg.Rules, s.cfg.Alert = loaded.Rules, loaded.Alert
	s.alarm.configure(loaded.Config)
	return r, nil
}
