package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"osm"
	"osm/access"
	"osm/exim"
	"osm/hold"
	"osm/web"
)

const (
	commandTime = time.Minute // for one call of Exim that does not deliver
	workAtOnce  = 200         // messages in one call of Exim
	lookAtOnce  = 1000        // messages of the book looked at with the mutex held
	clearAtOnce = 500         // senders whose score is looked at in one walk: each takes up to a millisecond
)

// carryOut does what is ordered about held messages, until nothing is left to do.
func (s *session) carryOut(ctx context.Context, q *exim.Queue) {
	expired := bySender{}
	defer func() { s.tellAll(hold.ExpiredNotice, expired) }()
	for ctx.Err() == nil {
		s.mu.Lock()
		work := s.holds.book.Work(workAtOnce, time.Now())
		s.mu.Unlock()
		if len(work) == 0 {
			return
		}
		places := map[hold.State][]exim.Place{}
		for _, m := range work {
			places[m.State] = append(places[m.State], exim.Place{ID: m.ID, Queue: m.Queue})
		}
		failed := map[string]error{}
		s.command(ctx, q.Release, places[hold.Releasing], failed)
		s.command(ctx, q.Remove, places[hold.Deleting], failed)
		s.done(ctx, work, failed, expired)
	}
}

// command runs Exim for some messages and notes those for which it did not work.
func (s *session) command(ctx context.Context, do func(context.Context, ...exim.Place) error, places []exim.Place,
	failed map[string]error) {
	if len(places) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	err := do(ctx, places...)
	if err == nil {
		return
	}
	all := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		all = joined.Unwrap()
	}
	for _, err := range all {
		if one, ok := errors.AsType[*exim.QueueError](err); ok {
			failed[one.ID] = err
			continue
		}
		for _, p := range places { // it ended early
			failed[p.ID] = err
		}
	}
}

// done tells the book how orders went, and collects what has expired.
func (s *session) done(ctx context.Context, work []hold.Message, failed map[string]error, expired bySender) {
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range work {
		err := failed[m.ID]
		if err != nil && ctx.Err() != nil {
			err = errors.New("osm was stopped meanwhile")
		}
		after, _ := s.holds.book.Done(m.ID, err, now)
		if err != nil {
			s.options.Logger.Warn("what was ordered about a held message did not work: it is held as before", "id",
				m.ID, "error", err)
			if m.By == bySelf && m.State == hold.Releasing && ctx.Err() == nil { // a queue run had it: nobody else would try again
				s.holds.book.Order(m.ID, hold.Releasing, bySelf, m.Deed, now.Add(releaseAgain), now)
			}
		} else if m.State == hold.Releasing {
			select {
			case s.holds.push <- exim.Place{ID: m.ID}:
			default: // the queue runner takes it
			}
		}
		if after.State == hold.Expired && s.holds.cfg.Load().NoticeEnd {
			expired.add(&after)
		}
	}
	close(s.holds.changed)
	s.holds.changed = make(chan struct{})
}

// lookThrough brings the book in step with the spool, ends what is over, and releases what has cleared.
func (s *session) lookThrough(ctx context.Context, q *exim.Queue) {
	whole, began := s.walkSpool(ctx, q)
	if whole {
		s.mu.Lock()
		s.holds.book.EndWalk()
		s.mu.Unlock()
		s.dropMissing(ctx, q, began)
	}
	for round := false; !round && ctx.Err() == nil; {
		s.mu.Lock()
		round = s.holds.book.Sweep(lookAtOnce, time.Now())
		s.mu.Unlock()
	}
	s.mu.Lock()
	s.holds.book.SweepGroups(time.Now())
	s.mu.Unlock()
	s.releaseAllCleared()
	if s.holds.cfg.Load().NoticeHeld {
		s.noticeHeld()
	}
}

// walkSpool looks at every message in the spool, a batch at a time. It tells whether it saw all, and when it began.
func (s *session) walkSpool(ctx context.Context, q *exim.Queue) (whole bool, began time.Time) {
	began, whole = time.Now(), true
	s.mu.Lock()
	s.holds.book.BeginWalk()
	s.mu.Unlock()
	batch := make([]exim.Place, 0, lookAtOnce)
	var trouble error
	for place, err := range q.Places(ctx) {
		if err != nil {
			whole, trouble = false, err
			continue
		}
		if batch = append(batch, place); len(batch) == cap(batch) {
			s.look(ctx, q, batch)
			batch = batch[:0]
		}
	}
	s.look(ctx, q, batch)
	if trouble != nil && ctx.Err() == nil && trouble.Error() != s.holds.trouble {
		s.holds.trouble = trouble.Error()
		s.options.Logger.Warn("the spool can't be looked through: what is done to held mail by hand may go unnoticed",
			"error", trouble)
	}
	return whole && ctx.Err() == nil, began
}

// look compares some of the spool with the book.
func (s *session) look(ctx context.Context, q *exim.Queue, batch []exim.Place) {
	s.mu.Lock()
	read := make([]exim.Place, 0, len(batch))
	for _, p := range batch {
		if s.holds.book.Saw(p.ID, p.Queue) {
			read = append(read, p)
		}
	}
	s.mu.Unlock()
	for _, p := range read {
		m, err := q.Read(p)
		if errors.Is(err, exim.ErrGone) {
			continue
		}
		if err != nil {
			s.options.Logger.Debug("a spool file can't be read", "error", err)
			continue
		}
		s.compare(ctx, q, m)
	}
	s.carryOut(ctx, q) // a walk through a million takes a while: orders don't wait for it
}

// compare brings what the book says of one message in step with its spool file.
func (s *session) compare(ctx context.Context, q *exim.Queue, m *exim.Queued) {
	verdict, text, ours := m.Verdict()
	if !ours {
		return
	}
	s.mu.Lock()
	_, known := s.holds.book.Get(m.ID)
	s.mu.Unlock()
	var found hold.Message
	var past osm.Verdict
	if !known && m.Held() {
		var wait bool
		if found, past, wait = s.fromSpool(ctx, q, m, verdict, text); wait {
			return
		}
	}
	now := time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !m.Held():
		s.holds.book.Left(m.ID, "released by somebody else", now)
	case known:
		s.holds.book.Moved(m.ID, m.Queue)
		s.holds.book.Hold(hold.Message{ID: m.ID}, 0, now)
	default:
		s.holds.book.Hold(found, past.Score, now)
		if text == exim.NoVerdict && !past.Stops() { // it only waited for osm to come back
			s.holds.book.Order(m.ID, hold.Releasing, bySelf, "", now, now)
		}
	}
}

// fromSpool is what can be known of a message that was held and that there is no record of: the spool says when and
// why, the history who was charged, with the past verdict. One that was held because nobody answered must wait until
// the history knows it.
func (s *session) fromSpool(ctx context.Context, q *exim.Queue, m *exim.Queued, verdict,
	text string) (found hold.Message, past osm.Verdict, wait bool) {
	if old, err := s.store.Message(ctx, m.ID); err == nil {
		past = old.Verdict
		if past.Stops() {
			found = hold.FromVerdict(old)
		}
	} else if text == exim.NoVerdict {
		return found, past, true
	}
	found.ID, found.Queue, found.Sender, found.To, found.Recipients = m.ID, m.Queue, m.Sender, m.Recipients,
		len(m.Recipients)
	found.Subject, found.Since = m.Header("subject"), m.Frozen
	if found.Verdict == "" {
		found.Verdict, found.Detail = verdict, text
	}
	if found.Since.IsZero() {
		found.Since = m.Received
	}
	local := !m.Client.IsValid()
	if found.Owner = m.Login; local {
		found.Owner = m.User
	}
	if found.Key.Value == "" {
		switch {
		case local:
			found.Key = osm.Key{Kind: osm.KeyUser, Value: m.User}
		case m.Login != "":
			found.Key = osm.Key{Kind: osm.KeyLogin, Value: m.Login}
		default:
			found.Key = osm.Key{Kind: osm.KeySender, Value: m.Sender}
		}
	}
	if size, err := q.Size(m.Place); err == nil {
		found.Size = size
	}
	return found, past, false
}

// dropMissing finds out what became of messages that a walk did not see. One that was moved while the walk was on is
// looked for once more.
func (s *session) dropMissing(ctx context.Context, q *exim.Queue, began time.Time) {
	s.mu.Lock()
	below := s.holds.book.All()
	s.mu.Unlock()
	for below > 0 && ctx.Err() == nil {
		var ids []string
		s.mu.Lock()
		ids, below = s.holds.book.Missing(below, lookAtOnce, began)
		s.mu.Unlock()
		for _, id := range ids {
			if _, err := q.Find(id); errors.Is(err, exim.ErrGone) {
				s.mu.Lock()
				s.holds.book.Left(id, "not in the queue any more", time.Now())
				s.mu.Unlock()
			}
		}
	}
}

// releaseAgain is when a release of osm's own that did not work is tried again.
const releaseAgain = 10 * time.Second

// bySelf is who orders a release when a verdict has cleared.
const bySelf = "osm"

// releaseAllCleared looks at senders that mail is held of.
func (s *session) releaseAllCleared() {
	s.mu.Lock()
	waiting := s.holds.book.Waiting(clearAtOnce)
	s.mu.Unlock()
	for _, key := range waiting {
		s.releaseCleared(key)
	}
}

// releaseSoon looks at senders that a person has just forgiven.
func (s *session) releaseSoon() {
	s.mu.Lock()
	soon := s.holds.soon
	s.holds.soon = nil
	s.mu.Unlock()
	for _, key := range soon {
		s.releaseCleared(key)
	}
}

// releaseCleared releases what is held of a sender that the detection no longer suspects.
func (s *session) releaseCleared(key osm.Key) {
	now := time.Now()
	s.mu.Lock()
	g, _ := s.holds.book.Group(key)
	b, known := s.engine.Detect.Explain(key, now)
	cfg := &s.cfg.Detect
	cleared := known && g.Cleared(b.Score, cfg.Suspect, time.Duration(cfg.HalfLife), now)
	s.mu.Unlock()
	if !cleared {
		return
	}
	reason := fmt.Sprintf("the score has fallen from %.1f to %.1f", g.Score, b.Score)
	answer := s.orderEach(heldOrder{HeldOrder: web.HeldOrder{What: web.Release, Key: key, Reason: reason, Scope: access.Scope{All: true}}, weighed: true}, bySelf, now)
	if answer.Messages == 0 {
		return
	}
	s.mu.Lock()
	s.holds.book.Automatic(key)
	s.mu.Unlock()
	s.options.Logger.Info("held mail is released: its sender is no longer suspected", "key",
		osm.Printable(key.String()), "messages", answer.Messages, "reason", reason)
}
