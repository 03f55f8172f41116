package action

import (
	"time"

	"osm"
	"osm/incident"
	"osm/window"
)

// Grouper makes alerts of incidents' turns: those within GroupWait are told together, and no more than PerHour are
// told in an hour. It holds no clock.
type Grouper struct {
	cfg     Config
	host    string
	waiting map[string]*incident.Incident // by id: told once, as it is when the alert goes out
	order   []string
	since   time.Time // when the first of waiting came
	sent    window.Counter
}

// NewGrouper makes one for a host's alerts.
func NewGrouper(cfg Config, host string) *Grouper {
	return &Grouper{cfg: cfg, host: host, waiting: map[string]*incident.Incident{}, sent: window.NewCounter(time.Hour, 60)}
}

// Turned notes that an incident has entered a new state.
func (g *Grouper) Turned(i *incident.Incident, now time.Time) {
	if !g.cfg.tells(i, now) {
		return
	}
	if len(g.waiting) == 0 {
		g.since = now
	}
	if _, known := g.waiting[i.ID]; !known {
		g.order = append(g.order, i.ID)
	}
	g.waiting[i.ID] = i
}

// Due gives the alert that is to go out now, if there is one.
func (g *Grouper) Due(now time.Time) (a Alert, ok bool) {
	if len(g.waiting) == 0 || now.Sub(g.since) < time.Duration(g.cfg.GroupWait) || g.sent.Sum(now) >= uint64(g.cfg.PerHour) {
		return a, false
	}
	a = Alert{Host: g.host, Time: now}
	h := uint64(now.UnixNano())
	for _, id := range g.order {
		h = window.Hash(h, id)
		if len(a.Incidents) == maxIncidents {
			a.More++
			continue
		}
		a.Incidents = append(a.Incidents, g.waiting[id].Clone())
	}
	a.ID = "A" + osm.ShortID(h)
	clear(g.waiting)
	g.order = nil
	g.sent.Add(now, 1)
	return a, true
}
