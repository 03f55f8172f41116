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
	Most         int          // messages that are looked through one by one, to the end of the day; 0 means all
}

// Cursor is a place in a list of messages, to be handed back as it is. "" is the start.
type Cursor string

// Page is a part of an answer, newest first (in the order of the log).
type Page struct {
	Messages []Found // with at most 20 recipients each
	Next     Cursor  // for Filter.After; "" when this is all. With Filter.Most a page may end before it is full
}

// Search lists messages, newest first. Every day of the time span is looked through unless the page is full: about 0.1 s
// for a million messages, and next to nothing where a sender, login, account, user, script, client or recipient is told whole.
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

func (v *view) search(f Filter) (*Page, error) {
	last, before, err := f.After.parse()
	if err != nil {
		return nil, err
	}
	page, end := &Page{}, f.After
	days, err := v.daysFor(f)
	if err != nil {
		return nil, err
	}
	looked := 0
	for i, d := range days {
		c, err := v.conditions(d, &f)
		if err != nil {
			return nil, err
		}
		mine, err := v.condition(d)
		if err != nil {
			return nil, err
		}
		c.add(mine)
		if f.After != "" && d > last {
			continue
		}
		if f.After != "" && d == last {
			c.add("seq < ?", before)
		}
		rows, err := v.matching(d, f.Recipient, c, f.Limit-len(page.Messages)+1)
		if err != nil {
			return nil, err
		}
		more := len(page.Messages)+len(rows) > f.Limit
		if more {
			rows = rows[:len(rows)-1]
		}
		described, err := v.describe(d, rows, shownRecipients)
		if err != nil {
			return nil, err
		}
		page.Messages = append(page.Messages, described...)
		if len(rows) > 0 {
			end = cursorAt(d, rows[len(rows)-1].seq)
		}
		if more {
			page.Next = end
			break
		}
		if f.Most == 0 || f.indexed() {
			continue
		}
		n := 0
		if err := v.conn.QueryRowContext(v.ctx, d.sql("SELECT ifnull(max(seq), 0) FROM message_DAY")).Scan(&n); err != nil {
			return nil, err
		}
		if looked += n; looked >= f.Most && i+1 < len(days) {
			page.Next = cursorAt(d, 0)
			break
		}
	}
	return page, nil
}

// indexed tells whether the messages are found without looking at each.
func (f *Filter) indexed() bool {
	if domain, ok := strings.CutPrefix(f.Sender, "*@"); ok && !isPattern(domain) {
		return true
	}
	return f.ID != "" || slices.ContainsFunc([]string{strings.TrimPrefix(f.Sender, "<>"), f.Recipient, f.Login, f.Account, f.User, f.Client, f.Script},
		func(text string) bool { return text != "" && !isPattern(text) })
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
func (v *view) matching(d day, recipient string, c *conditions, limit int) ([]messageRow, error) {
	wanted := map[int64]bool{}
	if recipient != "" {
		set, args, err := v.recipients(d, recipient)
		if err != nil {
			return nil, err
		}
		err = v.each(func(rows *sql.Rows) error {
			var id int64
			err := rows.Scan(&id)
			wanted[id] = true
			return err
		}, d.sql("SELECT id FROM string_DAY WHERE id IN "+set), args...)
		if err != nil || len(wanted) == 0 {
			return nil, err
		}
	}
	var found []messageRow
	err := v.each(func(rows *sql.Rows) error {
		var m messageRow
		if err := m.scan(rows); err != nil {
			return err
		}
		if recipient == "" || m.attempted() || m.sentTo(wanted) {
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
