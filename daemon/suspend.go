package daemon

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"osm"
	"osm/access"
	"osm/action"
	"osm/policy"
	"osm/web"
	"osm/window"
)

// suspendState begins the keys under which the store keeps suspensions.
const suspendState = "suspend/"

// suspender is who is suspended, and who is to be. It is guarded by the session's mutex, but for wake.
type suspender struct {
	book    *action.Suspensions
	refused []action.Subject // senders that were stopped since the last look, for what follows by itself
	hour    window.Counter   // what did
	wake    chan struct{}
}

func newSuspender() *suspender {
	return &suspender{book: action.NewSuspensions(), hour: window.NewCounter(time.Hour, 60), wake: make(chan struct{}, 1)}
}

const (
	mostRefused  = 1000            // between two looks
	freshRefusal = time.Hour       // what an old log tells is no reason to act now
	lookAgain    = 5 * time.Second // while something is being tried
	lookSeldom   = 30 * time.Second
)

// stopped notes that the detection has stopped a message's sender.
func (u *suspender) stopped(m *osm.Message, now time.Time) {
	v := &m.Verdict
	if len(v.Findings) == 0 || v.Score == 0 || now.Sub(m.Time) > freshRefusal || len(u.refused) >= mostRefused ||
		slices.ContainsFunc(u.refused, func(s action.Subject) bool { return s.Key == v.Key }) {
		return
	}
	u.refused = append(u.refused, action.Subject{Key: osm.Key{Kind: v.Key.Kind, Value: strings.Clone(v.Key.Value)},
		Account: strings.Clone(m.Account)})
	u.awake()
}

func (u *suspender) awake() {
	select {
	case u.wake <- struct{}{}:
	default: // it is awake already
	}
}

// suspend carries out an order: list entries at once, everything else by the worker.
// account is whose the sender is, "" when the panel is to be asked.
func (s *session) suspend(o web.SuspendOrder, account, by string, now time.Time) (*web.SuspendAnswer, error) {
	key, err := policy.CheckKey(o.Key)
	if err != nil {
		return nil, err
	}
	o.Key = key
	defer s.stops.awake()
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &web.SuspendAnswer{Steps: []string{}, Deeds: []policy.Deed{}, DryRun: o.DryRun}
	switch o.What {
	case web.Resume:
		return a, s.resume(&o, a, by, now)
	case web.Suspend:
	default:
		return nil, fmt.Errorf("unknown order %q: want suspend or resume", o.What)
	}
	if len(o.With) == 0 {
		o.With = s.cfg.Action.With
	}
	subject := action.Subject{Key: key, Account: account}
	if subject.Account == "" {
		subject.Account = s.owner(key)
	}
	plans := make([]action.Plan, len(o.With))
	for i, means := range o.With { // what can't be done is told before anything is
		if means != action.ByList {
			if plans[i], err = s.cfg.Action.Plan(means, s.panel.Kind().String(), subject); err != nil {
				return nil, err
			}
			a.Steps = append(a.Steps, plans[i].Do.String())
			continue
		}
		a.Steps = append(a.Steps, "block "+key.String())
	}
	if o.DryRun {
		return a, nil
	}
	for i, means := range o.With {
		d, err := s.suspendBy(means, plans[i], subject, &o, by, now)
		if err != nil {
			return a, err
		}
		a.Deeds = append(a.Deeds, d)
	}
	return a, nil
}

// means are those by which somebody is suspended when nobody says how.
func (s *session) means() []action.Means {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.cfg.Action.With)
}

// suspendBy suspends by one means.
func (s *session) suspendBy(means action.Means, plan action.Plan, subject action.Subject, o *web.SuspendOrder, by string,
	now time.Time) (d policy.Deed, err error) {
	var until time.Time
	if o.For > 0 {
		until = now.Add(time.Duration(o.For))
	}
	if means == action.ByList {
		reason := strings.TrimSuffix(web.SuspendMark+": "+o.Reason, ": ")
		d, err = s.ledger.Put(policy.Entry{Key: subject.Key, Until: until, Reason: reason, By: by}, now)
		s.engine.Policy.Lists.Set(s.ledger.Entries())
		return d, err
	}
	if s.stops.book.Suspended(subject.Key, means) {
		return d, fmt.Errorf("%s is suspended by %s already", subject.Key, means)
	}
	d = s.ledger.Note(policy.Deed{What: web.Suspend, Key: subject.Key, Reason: plan.Do.String() + reasonText(o.Reason),
		By: by, Time: now, Until: until})
	_, err = s.stops.book.Start(action.Suspension{Subject: subject, Means: means, Plan: plan, Until: until, By: by,
		Reason: o.Reason, Deed: d.ID}, now)
	return d, err
}

func reasonText(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + reason + ")"
}

// owner is the account that a key belongs to, as the panel knows it.
func (s *session) owner(key osm.Key) string {
	switch key.Kind {
	case osm.KeyAccount, osm.KeyUser:
		return key.Value
	case osm.KeyLogin, osm.KeySender:
		return s.panel.Owner(osm.Domain(key.Value))
	case osm.KeySenderDomain:
		return s.panel.Owner(key.Value)
	case osm.KeyScript:
		return s.panel.OwnerOfPath(key.Value)
	}
	return ""
}

// resume ends every suspension of a sender.
func (s *session) resume(o *web.SuspendOrder, a *web.SuspendAnswer, by string, now time.Time) error {
	for _, e := range s.ledger.Entries() {
		if e.Key != o.Key || e.Allow || !strings.HasPrefix(e.Reason, web.SuspendMark) {
			continue
		}
		a.Steps = append(a.Steps, "unblock "+e.Key.String())
		if !o.DryRun {
			d, err := s.ledger.Remove(e.Key, by, o.Reason, now)
			if err != nil {
				return err
			}
			a.Deeds = append(a.Deeds, d)
			s.engine.Policy.Lists.Set(s.ledger.Entries())
		}
	}
	if o.DryRun {
		for _, one := range s.stops.book.All() {
			if one.Subject.Key == o.Key && one.Live() {
				a.Steps = append(a.Steps, one.Plan.Undo.String())
			}
		}
		return nil
	}
	for _, one := range s.stops.book.End(func(x *action.Suspension) bool { return x.Subject.Key == o.Key }, now) {
		a.Steps = append(a.Steps, one.Plan.Undo.String())
		a.Deeds = append(a.Deeds, s.noteEnd(&one, by, o.Reason, now))
	}
	if len(a.Steps) == 0 {
		return fmt.Errorf("%s is not suspended", o.Key)
	}
	return nil
}

func (s *session) noteEnd(x *action.Suspension, by, reason string, now time.Time) policy.Deed {
	return s.ledger.Note(policy.Deed{What: web.Resume, Key: x.Subject.Key,
		Reason: x.Plan.Undo.String() + reasonText(reason), By: by, Time: now, Undoes: x.Deed})
}

// unsuspend takes the suspension of a deed back.
func (s *session) unsuspend(deed policy.Deed, by string, now time.Time) (policy.Deed, error) {
	defer s.stops.awake()
	s.mu.Lock()
	defer s.mu.Unlock()
	ended := s.stops.book.End(func(x *action.Suspension) bool { return x.Deed == deed.ID }, now)
	if len(ended) == 0 {
		return deed, fmt.Errorf("%s can't be undone: that suspension has ended", deed.ID)
	}
	return s.noteEnd(&ended[0], by, "", now), nil
}

// keepSuspended carries suspensions out, takes them back when their time is over, and starts those that follow by
// themselves, until ctx is done. It runs programs; no lock is held meanwhile.
func (s *session) keepSuspended(ctx context.Context) {
	for ctx.Err() == nil {
		now := time.Now()
		s.suspendRefused(now)
		s.mu.Lock()
		for _, x := range s.stops.book.Tick(now) {
			s.noteEnd(&x, bySelf, "its time is over", now)
		}
		x, ok := s.stops.book.Take(now)
		wait := lookSeldom
		if slices.ContainsFunc(s.stops.book.All(),
			func(x action.Suspension) bool { return x.State == action.Starting || x.State == action.Ending }) {
			wait = lookAgain
		}
		s.mu.Unlock()
		if ok {
			s.carry(ctx, x)
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
		case <-s.stops.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// carry does or takes back one suspension.
func (s *session) carry(ctx context.Context, x action.Suspension) {
	step := x.Plan.Do
	if x.State == action.Ending {
		step = x.Plan.Undo
	}
	output, err := step.Carry(ctx, s.options.root(), time.Now())
	s.mu.Lock()
	after := s.stops.book.Done(x.ID, x.State, output, err, time.Now())
	if after.State == action.Failed {
		s.ledger.Note(policy.Deed{What: web.Suspend, Key: x.Subject.Key, Reason: "failed: " + after.Error, By: bySelf,
			Time: time.Now(), Undoes: x.Deed})
	}
	s.mu.Unlock()
	if err != nil && ctx.Err() == nil {
		s.options.Logger.Error("a suspension could not be carried out, or taken back", "key",
			osm.Printable(x.Subject.Key.String()), "state", after.State, "error", err)
	}
}

// suspendRefused starts what follows by itself when a sender was stopped.
func (s *session) suspendRefused(now time.Time) {
	s.mu.Lock()
	refused, cfg, mode := s.stops.refused, s.cfg.Action, s.cfg.Policy.Mode
	s.stops.refused = nil
	s.mu.Unlock()
	if len(cfg.Automatic) == 0 || mode == policy.Shadow {
		return
	}
	for _, subject := range refused {
		s.mu.Lock()
		room := s.stops.hour.Sum(now) < uint64(cfg.PerHour)
		if room {
			s.stops.hour.Add(now, 1)
		}
		s.mu.Unlock()
		if !room {
			s.options.Logger.Warn("a sender is not suspended by itself: too many were in this hour (action.per_hour)",
				"key", osm.Printable(subject.Key.String()))
			continue
		}
		for _, means := range cfg.Automatic {
			s.suspendOne(means, subject, cfg.For, now)
		}
	}
}

// suspendOne suspends a sender by itself by one means, unless that has been done.
func (s *session) suspendOne(means action.Means, subject action.Subject, span osm.Duration, now time.Time) {
	s.mu.Lock()
	done := means != action.ByList && s.stops.book.Suspended(subject.Key, means) || means == action.ByList &&
		s.ledger.Listed(subject.Key)
	s.mu.Unlock()
	if done {
		return
	}
	_, err := s.suspend(web.SuspendOrder{What: web.Suspend, Key: subject.Key, With: []action.Means{means}, For: span,
		Reason: "the detection has stopped it"}, subject.Account, bySelf, now)
	if err != nil {
		s.options.Logger.Warn("a sender that was stopped is not suspended", "key",
			osm.Printable(subject.Key.String()), "means", means, "error", err)
	}
}

// suspensions are those of a scope's accounts.
func (s *session) suspensions(scope access.Scope) []action.Suspension {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(s.stops.book.All(), func(x action.Suspension) bool { return !scope.Has(x.Subject.Account) })
}
