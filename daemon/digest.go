package daemon

import (
	"context"
	"fmt"
	"time"

	"osm"
	"osm/action"
	"osm/store"
	"osm/web"
)

const (
	digestEvery  = 30 * time.Second // between looks at whether it is time
	digestSpan   = 24 * time.Hour
	digestTop    = 5
	digestFormat = time.RFC3339
)

// digests mails a summary once a day until ctx is done.
func (s *session) digests(ctx context.Context) {
	look := time.NewTicker(digestEvery)
	defer look.Stop()
	for {
		if err := s.digest(ctx, time.Now()); err != nil && ctx.Err() == nil {
			s.options.Logger.Warn("the daily digest can't be made; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
	}
}

// digest puts the day's summary into the outbox when it is due and has not been made yet: a daemon that was down at that time
// makes it when it is back, one that has just been installed waits for the next day.
func (s *session) digest(ctx context.Context, now time.Time) error {
	s.mu.Lock()
	cfg, last := s.cfg.Alert, s.alarm.digested
	due := cfg.Due(now)
	if last.IsZero() && !due.IsZero() {
		s.alarm.made(due)
	}
	s.mu.Unlock()
	if last.IsZero() || !due.After(last) {
		return nil
	}
	report, err := s.store.Report(ctx, store.ReportQuery{Since: now.Add(-digestSpan), Until: now, Limit: digestTop})
	if err != nil {
		return err
	}
	d := digestOf(report, now)
	d.Host = cfg.HostName()
	pictures, err := web.DigestPictures(web.ReportOf(report), now.Location())
	if err != nil {
		return err
	}
	for _, p := range pictures {
		d.Pictures = append(d.Pictures, action.Picture(p))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range s.alarm.book.All() {
		if i.Live() || i.Updated.After(d.Since) {
			d.Incidents = append(d.Incidents, i.Clone())
		}
	}
	if n := s.alarm.stuck(now); n > 0 {
		d.Notices = append(d.Notices, fmt.Sprintf("%d alerts have not arrived", n))
	}
	letter, err := d.Letter(&cfg, due)
	if err != nil {
		return err
	}
	s.alarm.outbox.PutLetter(letter)
	s.alarm.made(due) // saved together with the letter
	s.alarm.awake()
	return nil
}

// digestOf is a report in the terms of a digest.
func digestOf(r *store.Report, now time.Time) *action.Digest {
	row := func(name string, c store.Counts) action.Row {
		return action.Row{Name: name, Messages: c.Messages, Recipients: c.Recipients, Delivered: c.Delivered, Failed: c.Failed, Stopped: c.Stopped}
	}
	d := &action.Digest{Since: r.Since.In(now.Location()), Until: now, Total: row("all that was sent", r.Total)}
	for _, class := range osm.Classes() {
		if c := r.Classes[class]; c != (store.Counts{}) {
			d.Classes = append(d.Classes, row(class.String(), c))
		}
	}
	for _, kind := range osm.Refusals() {
		if n := r.Total.Refusals[kind]; n > 0 {
			d.Refusals = append(d.Refusals, action.Amount{Name: kind.String(), Number: n})
		}
	}
	for _, top := range []struct {
		kind  osm.KeyKind
		title string
	}{{osm.KeyAccount, "Account"}, {osm.KeyLogin, "Login"}, {osm.KeyScript, "Script"}, {osm.KeySenderDomain, "Sender domain"}} {
		ranking := action.Ranking{Title: top.title}
		for _, t := range r.Top[top.kind] {
			ranking.Rows = append(ranking.Rows, row(t.Value, t.Counts))
		}
		d.Rankings = append(d.Rankings, ranking)
	}
	return d
}
