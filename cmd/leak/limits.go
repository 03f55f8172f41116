package main

import (
	"math"
	"time"

	"osm"
	"osm/sim"
)

// The fixed limits that others have, as judges. All charge the login, else the script's folder, else the client
// address of unauthenticated mail from this machine, and leave mail from outside and bounces alone.

// chargedTo names whom a limit counts, "" for mail that it does not count.
func chargedTo(m *osm.Message) string {
	switch m.Class {
	case osm.Login:
		return "login " + m.Login
	case osm.Local, osm.List, osm.System:
		if m.Script.Path != "" {
			return "script " + m.Script.Path
		}
		return "user " + m.User
	case osm.Localhost:
		return "client " + m.Client.String()
	}
	return ""
}

// hourly counts messages in whole hours of the clock.
type hourly struct {
	hour  time.Time
	count int
}

// csf is ConfigServer Firewall's login failure daemon with RT_AUTHRELAY_LIMIT, RT_LOCALRELAY_LIMIT,
// RT_LOCALHOSTRELAY_LIMIT and LF_SCRIPT_LIMIT at their default of 100 messages an hour, and blocking switched on. The
// real one blocks the client address (for a script it can only take the folder's permissions away) and reads the log
// every few seconds; this one charges the sender at once, which is kinder to it, and lets him go when the hour is
// over.
func csf() sim.Decide {
	counts := map[string]*hourly{}
	return func(ev *sim.Event) osm.Action {
		who := ""
		if ev.Kind == sim.Arrival {
			who = chargedTo(ev.Message)
		}
		if who == "" {
			return osm.Accept
		}
		c, hour := counts[who], ev.Time.Truncate(time.Hour)
		if c == nil || !c.hour.Equal(hour) {
			c = &hourly{hour: hour}
			counts[who] = c
		}
		if c.count++; c.count > 100 {
			return osm.Reject
		}
		return osm.Accept
	}
}

// cpanel is "number of unique recipients per hour to trigger potential spammer notification" at its default of 500,
// with the action to hold. The real hold ends when an administrator ends it: taken as a day here.
func cpanel() sim.Decide {
	type state struct {
		hour  time.Time
		seen  map[string]struct{}
		until time.Time
	}
	counts := map[string]*state{}
	return func(ev *sim.Event) osm.Action {
		who := ""
		if ev.Kind == sim.Arrival {
			who = chargedTo(ev.Message)
		}
		if who == "" {
			return osm.Accept
		}
		s, hour := counts[who], ev.Time.Truncate(time.Hour)
		if s == nil {
			s = &state{}
			counts[who] = s
		}
		if ev.Time.Before(s.until) {
			return osm.Hold
		}
		if !s.hour.Equal(hour) {
			s.hour, s.seen = hour, map[string]struct{}{}
		}
		for _, r := range ev.Message.Recipients {
			s.seen[r] = struct{}{}
		}
		if len(s.seen) > 500 {
			s.until = ev.Time.Add(24 * time.Hour)
			return osm.Hold
		}
		return osm.Accept
	}
}

// hestia is HestiaCP's "ratelimit = 200 / 1h / strict" on messages, with Exim's smoothed rate (specification,
// "Ratelimiting incoming messages"): strict counts refused messages too.
func hestia() sim.Decide {
	type state struct {
		at   time.Time
		rate float64
	}
	rates := map[string]*state{}
	return func(ev *sim.Event) osm.Action {
		who := ""
		if ev.Kind == sim.Arrival {
			who = chargedTo(ev.Message)
		}
		if who == "" {
			return osm.Accept
		}
		s := rates[who]
		if s == nil {
			rates[who] = &state{at: ev.Time, rate: 1}
			return osm.Accept
		}
		past := max(1e-3, ev.Time.Sub(s.at).Hours())
		keep := math.Exp(-past)
		s.rate, s.at = (1-keep)/past+keep*s.rate, ev.Time
		if s.rate > 200 {
			return osm.Reject
		}
		return osm.Accept
	}
}

// cpguard is a limit of 30 messages a minute and 300 an hour, both sliding; what is refused is not counted.
func cpguard() sim.Decide {
	sent := map[string][]time.Time{}
	return func(ev *sim.Event) osm.Action {
		who := ""
		if ev.Kind == sim.Arrival {
			who = chargedTo(ev.Message)
		}
		if who == "" {
			return osm.Accept
		}
		past := sent[who]
		for len(past) > 0 && ev.Time.Sub(past[0]) >= time.Hour {
			past = past[1:]
		}
		minute := 0
		for i := len(past) - 1; i >= 0 && ev.Time.Sub(past[i]) < time.Minute; i-- {
			minute++
		}
		if len(past) >= 300 || minute >= 30 {
			sent[who] = past
			return osm.Defer
		}
		sent[who] = append(past, ev.Time)
		return osm.Accept
	}
}
