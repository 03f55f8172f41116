package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"osm"
)

// Filter says which messages are wanted: all that is set must hold. Texts are compared without regard to ASCII case; a
// `*` at the start or end stands for anything.
type Filter struct {
	Sender       string // "<>" is the null sender
	Recipient    string // the final address or the envelope's
	Login        string
	Account      string
	User         string
	Client       string // address
	Script       string
	Subject      string // found anywhere in the subject
	ID           string // Exim's, whole
	Since, Until time.Time
	Class        osm.Class    // NoClass: any
	Outcome      *osm.Outcome // at least one attempt had this outcome
	Refusal      osm.Refusal  // at least one attempt was refused so; NotRefused: any
	Action       *osm.Action  // of the verdict
	Judged       bool         // something was found about it
	Limit        int          // 0 means 50
	After        Cursor       // continue a list: see Page.Next
	Most         int          // messages that are looked through one by one, or twice as many texts, to the end of the day; 0 means all
}

// Cursor is a place in a list of messages, to be handed back as it is. "" is the start.
type Cursor string

// Page is a part of an answer, newest first (in the order of the log).
type Page struct {
	Messages []Found // with at most 20 recipients each
	Next     Cursor  // for Filter.After; "" when this is all. With Filter.Most a page may end before it is full
}

// Search lists messages, newest first. Every day of the time span is looked through unless the page is full: about 0.1 s
// for a million messages, and next to nothing where a sender, login, account, user, script, client or recipient is told whole, or a
// text that is in few others.
func (r *Reader) Search(ctx context.Context, f Filter) (*Page, error) {
	if f.Limit <= 0 {
		f.Limit = 50
	}
	var page *Page
	err := r.view(ctx, "search", func(v *view) (err error) {
		page, err = v.search(f)
		return err
	})
	return page, err
}

// searching is a list in the making.
type searching struct {
	*view
	filter Filter
	page   Page
	end    Cursor
	looked int64 // how many messages, or twice as many texts, were looked at one by one
}

func (v *view) search(f Filter) (*Page, error) {
	last, before, err := f.After.parse()
	if err != nil {
		return nil, err
	}
	days, err := v.daysFor(f)
	if err != nil {
		return nil, err
	}
	s := &searching{view: v, filter: f, end: f.After}
	first := true
	for i, d := range days {
		if f.After != "" && d > last {
			continue
		}
		if f.After == "" || d != last {
			before = 0
			if err := v.conn.QueryRowContext(v.ctx, d.sql("SELECT ifnull(max(seq), 0) + 1 FROM message_DAY")).Scan(&before); err != nil {
				return nil, err
			}
		}
		if full, err := s.day(d, before, first); full || err != nil {
			return &s.page, err
		}
		if first = false; f.Most > 0 && s.looked >= int64(f.Most) && i+1 < len(days) {
			s.page.Next = cursorAt(d, 0)
			break
		}
	}
	return &s.page, nil
}

// newest is how many messages are looked at one by one at first: what is wanted is often among them, and nothing else needs to be
// looked at then.
const newest = 1 << 15

// day adds the messages of a day that come before one of them, until the page is full.
func (s *searching) day(d day, before int64, first bool) (full bool, err error) {
	_, patterns := s.filter.keys()
	hard := len(patterns) > 0 || s.filter.Refusal != 0 || s.filter.Outcome != nil
	if after := before - newest; first && hard && s.within == nil && after > 0 {
		if full, err = s.part(d, after, before, true); full || err != nil {
			return full, err
		}
		before = after
	}
	return s.part(d, 0, before, false)
}

// part adds those from one message on and before another.
func (s *searching) part(d day, from, before int64, few bool) (full bool, err error) {
	c, err := s.conditions(d, &s.filter, few)
	if err != nil || c.none {
		s.looked += c.lookedAt(0)
		return false, err
	}
	if s.looked += c.lookedAt(before - from); from > 0 {
		c.add("seq >= ?", from)
	}
	c.add("seq < ?", before)
	rows, err := s.matching(d, c, s.filter.Limit-len(s.page.Messages)+1)
	if err != nil {
		return false, err
	}
	if full = len(s.page.Messages)+len(rows) > s.filter.Limit; full {
		rows = rows[:len(rows)-1]
	}
	described, err := s.describe(d, rows, shownRecipients)
	s.page.Messages = append(s.page.Messages, described...)
	if len(rows) > 0 {
		s.end = cursorAt(d, rows[len(rows)-1].seq)
	}
	if full {
		s.page.Next = s.end
	}
	return full, err
}

// lookedAt is how much was looked at for so many messages.
func (c *conditions) lookedAt(messages int64) int64 {
	switch {
	case c == nil:
		return 0
	case c.few:
		messages = 0
	}
	return messages + c.looked/2
}

// daysFor lists the days that can hold what is wanted, the newest first.
func (v *view) daysFor(f Filter) ([]day, error) {
	var only day
	if f.ID != "" {
		d, _, err := v.locate(f.ID)
		if errors.Is(err, ErrNotFound) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		only = d
	}
	var days []day
	for _, d := range slices.Backward(v.days) {
		if (f.ID == "" || d == only) && (f.Until.IsZero() || d.start().Before(f.Until)) && !(d + 1).start().Before(f.Since) {
			days = append(days, d)
		}
	}
	return days, nil
}

// matching gives at most limit rows of a day, newest first.
func (v *view) matching(d day, c *conditions, limit int) ([]messageRow, error) {
	var found []messageRow
	err := v.each(func(rows *sql.Rows) error {
		var m messageRow
		if err := m.scan(rows); err != nil {
			return err
		}
		if c.recipients == nil || m.attempted() || m.sentTo(c.recipients) {
			found = append(found, m)
		}
		if len(found) == limit {
			return errEnough
		}
		return nil
	}, d.sql("SELECT * FROM message_DAY WHERE "+c.String()+" ORDER BY seq DESC"), c.args...)
	if errors.Is(err, errEnough) {
		err = nil
	}
	return found, err
}

// errEnough ends a query early.
var errEnough = errors.New("enough")

func (m *messageRow) attempted() bool { return m.delivered+m.deferred+m.failed+m.suppressed > 0 }

// sentTo tells whether one of the texts is a recipient of the envelope.
func (m *messageRow) sentTo(wanted map[int64]bool) bool {
	return slices.ContainsFunc(unpackEnvelope(m.envelope, int(m.recipients)), func(id int64) bool { return wanted[id] })
}

// parse undoes cursorAt.
func (c Cursor) parse() (d day, seq int64, err error) {
	if c == "" {
		return 0, 0, nil
	}
	name, number, _ := strings.Cut(string(c), "-")
	t, err := time.Parse("20060102", name)
	if err == nil {
		seq, err = strconv.ParseInt(number, 10, 64)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("%q is not a place in a list", string(c))
	}
	return dayOf(t), seq, nil
}

func cursorAt(d day, seq int64) Cursor { return Cursor(fmt.Sprintf("%s-%d", d, seq)) }
