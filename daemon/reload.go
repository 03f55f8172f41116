package daemon

import (
	"reflect"
	"slices"
)

// Reloaded tells what a reload did.
type Reloaded struct {
	Files   []string `json:"files"`   // that were read
	Changed []string `json:"changed"` // tables that are in force now
	Restart []string `json:"restart"` // tables whose changes need a restart
}

// live are the tables whose changes take effect without a restart. No state is lost by it.
var live = []string{"rule", "alert"}

// reload reads the configuration again. A file with a mistake changes nothing, and the error says why.
func (s *session) reload() (*Reloaded, error) {
	if s.options.Load == nil {
		return &Reloaded{}, nil
	}
	loaded, err := s.options.Load()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	r := &Reloaded{Files: loaded.Files, Changed: []string{}, Restart: []string{}}
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
