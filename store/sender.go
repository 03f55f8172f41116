package store

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"osm"
)

// SenderQuery says whose mail is to be told about. Since is widened to a whole hour.
type SenderQuery struct {
	Key          osm.Key // account, login, user, script, client, sender, sender-domain or subject
	Since, Until time.Time
	Most         int // newest messages that are looked at one by one; 0 means 600
	Latest       int // of them, how many are listed; 0 means 20
}

// Story is what one sender sent.
type Story struct {
	Total    Counts
	Hours    []Hour   // every hour of the time
	Accounts []string // whose mail it was
	Complete bool     // what follows is about all of its messages, not only about the newest
	Clients  []ClientCount
	Domains  []DomainCount // of recipients
	Answers  []Answer
	Latest   []Found
	Verdicts []Found // those that something was found about
}

// ClientCount is a host that mail came from.
type ClientCount struct {
	Addr     netip.Addr
	Host     string // verified name
	Country  string
	ASN      uint32
	Messages int64
	First    time.Time
	Last     time.Time
}

// DomainCount is where mail went: attempts by outcome.
type DomainCount struct {
	Domain                      string
	Delivered, Deferred, Failed int64
}

// Answer is one way in which a receiver did not take mail.
type Answer struct {
	Refusal  osm.Refusal
	Domain   string // of the recipients
	Host     string // that said so
	Code     int
	Enhanced string
	Text     string // the latest one's words
	ID       string // of that message
	Count    int64
	Last     time.Time

	day day // of its message
	seq int64
}

// What a story lists at most.
const (
	storyMessages = 600
	storyLatest   = 20
	storyRows     = 50
	storyAccounts = 100
)

// Sender tells what one sender sent, or is ErrNotFound when it sent nothing in that time.
func (r *Reader) Sender(ctx context.Context, q SenderQuery) (*Story, error) {
	q.Most, q.Latest = cmp.Or(q.Most, storyMessages), cmp.Or(q.Latest, storyLatest)
	if _, ok := columnOf[q.Key.Kind]; !ok || !q.Since.Before(q.Until) {
		return nil, ErrNotFound
	}
	q.Since = q.Since.UTC().Truncate(time.Hour)
	t := &tale{Story: Story{Complete: true}, query: q, accounts: map[string]bool{}, clients: map[netip.Addr]*ClientCount{}, domains: map[string]*DomainCount{},
		answers: map[answerKey]*Answer{}}
	for at := t.query.Since; at.Before(q.Until); at = at.Add(time.Hour) {
		t.Hours = append(t.Hours, Hour{Start: at})
	}
	err := r.view(ctx, "read a sender in", func(v *view) error {
		for _, d := range slices.Backward(v.days) {
			if !d.start().Before(q.Until) || !(d + 1).start().Add(astray).After(q.Since) {
				continue
			}
			if err := t.day(v, d); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && t.Total.Messages == 0 {
		err = ErrNotFound
	}
	return t.told(), err
}

// tale is a story in the making: the newest day first.
type tale struct {
	Story
	query    SenderQuery
	looked   int
	accounts map[string]bool
	clients  map[netip.Addr]*ClientCount
	domains  map[string]*DomainCount
	answers  map[answerKey]*Answer
}

type answerKey struct {
	refusal        osm.Refusal
	domain, host   string
	code, enhanced string
}

// where is the condition on a day's messages.
func (t *tale) where(v *view, d day) (condition string, ids []int64, err error) {
	mine, err := v.condition(d)
	if err != nil {
		return "", nil, err
	}
	key := t.query.Key
	switch key.Kind {
	case osm.KeyScript, osm.KeySubject:
		ids, err = v.textIDs(d, "binary", clean(key.Value))
	default:
		ids, err = v.textIDs(d, "nocase", clean(key.Value))
	}
	if err != nil || len(ids) == 0 {
		return "", nil, err
	}
	bearing, err := v.bearing(d, key.Kind, ids)
	return fmt.Sprintf("%s AND time >= %d AND time < %d AND %s", bearing.sql, d.millis(t.query.Since), d.millis(t.query.Until), mine.sql), ids, err
}

// day adds what a sender sent on a day.
func (t *tale) day(v *view, d day) error {
	where, ids, err := t.where(v, d)
	if err != nil || len(ids) == 0 { // it sent nothing on that day
		return err
	}
	first, err := v.seqAt(d, t.query.Since.Add(-astray))
	if err != nil {
		return err
	}
	where = fmt.Sprintf("seq >= %d AND %s", first, where)
	if v.within == nil && slices.Contains(rankings[:], t.query.Key.Kind) {
		where := fmt.Sprintf("kind = %d AND value IN %s AND hour >= %d", t.query.Key.Kind, numbers(ids), int64(t.query.Since.Sub(d.start())/time.Hour))
		err = t.sums(v, d, "hour, "+sumColumns+" FROM hourly_DAY WHERE "+where)
	} else {
		err = t.sums(v, d, fmt.Sprintf(`time / 3600000, count(*), sum(recipients), sum(size), sum(action <> 0 AND flags & %d = 0), sum(delivered), 0,
			sum(deferred), sum(failed) FROM message_DAY WHERE %s`, flagShadow, where))
	}
	if err != nil {
		return err
	}
	var rows []messageRow
	err = v.each(func(r *sql.Rows) error {
		rows = append(rows, messageRow{})
		return rows[len(rows)-1].scan(r)
	}, d.sql(fmt.Sprintf("SELECT * FROM message_DAY WHERE %s ORDER BY seq DESC LIMIT %d", where, t.query.Most-t.looked)))
	if err != nil || len(rows) == 0 {
		return err
	}
	t.looked += len(rows)
	return t.messages(v, d, rows)
}

// sums adds the counts by hour, from the hourly sums where they are kept for such a key, and otherwise from the messages, with
// attempts by the time of their message.
func (t *tale) sums(v *view, d day, query string) error {
	return v.each(func(rows *sql.Rows) error {
		var hour int64
		var c Counts
		if err := rows.Scan(append([]any{&hour}, c.fields()...)...); err != nil {
			return err
		}
		start := d.time(hour * time.Hour.Milliseconds())
		if i := int(start.Sub(t.Hours[0].Start) / time.Hour); i >= 0 && i < len(t.Hours) {
			t.Hours[i].add(&c)
			t.Total.add(&c)
		}
		return nil
	}, d.sql("SELECT "+query+" GROUP BY 1"))
}

// messages adds what single messages tell.
func (t *tale) messages(v *view, d day, rows []messageRow) error {
	show := rows[:min(len(rows), max(t.query.Latest-len(t.Latest), 0))]
	latest, err := v.describe(d, show, shownRecipients)
	if err != nil {
		return err
	}
	t.Latest = append(t.Latest, latest...)
	names := texts{}
	var judged []messageRow
	for i := range rows {
		names.want(rows[i].account, rows[i].client, rows[i].host)
		if rows[i].action != 0 && len(t.Verdicts)+len(judged) < t.query.Latest {
			judged = append(judged, rows[i])
		}
	}
	verdicts, err := v.describe(d, judged, shownRecipients)
	if err != nil {
		return err
	}
	t.Verdicts = append(t.Verdicts, verdicts...)
	if err := names.load(v, d); err != nil {
		return err
	}
	for i := range rows {
		m := &rows[i]
		if a := names[m.account]; a != "" && len(t.accounts) < storyAccounts {
			t.accounts[a] = true
		}
		t.client(parseAddr(names[m.client]), parts(names[m.host], 4), d.time(m.time))
	}
	return t.attempts(v, d, rows)
}

func (t *tale) client(addr netip.Addr, host []string, at time.Time) {
	if !addr.IsValid() {
		return
	}
	c := t.clients[addr]
	if c == nil {
		c = &ClientCount{Addr: addr, Host: host[1], Country: host[2], ASN: uint32(parseNumber(host[3], 32)), First: at, Last: at}
		t.clients[addr] = c
	}
	c.Messages++
	if at.Before(c.First) {
		c.First = at
	}
	if at.After(c.Last) {
		c.Last = at
	}
}

// attempts adds what receivers answered.
func (t *tale) attempts(v *view, d day, rows []messageRow) error {
	seqs, ids := make([]int64, len(rows)), make(map[int64]string, len(rows))
	for i := range rows {
		seqs[i] = rows[i].seq
		if rows[i].key >= 0 {
			ids[rows[i].seq] = idOf(d, rows[i].key)
		}
	}
	list := "[" + idList(seqs) + "]"
	return v.refusals(d, d.sql("FROM json_each(?) AS wanted CROSS JOIN delivery_DAY ON delivery_DAY.id BETWEEN wanted.value << 20 AND (wanted.value << 20) + 1048575"),
		[]any{list}, func(a *Answer, outcome osm.Outcome, seq int64) {
			if a.ID = ids[seq]; a.Domain == "" {
				return
			}
			c := t.domains[a.Domain]
			if c == nil {
				c = &DomainCount{Domain: a.Domain}
				t.domains[a.Domain] = c
			}
			switch outcome {
			case osm.Delivered:
				c.Delivered += a.Count
			case osm.Deferred:
				c.Deferred += a.Count
			case osm.Failed:
				c.Failed += a.Count
			}
			gather(t.answers, a)
		})
}

// gather adds one answer to those of its kind.
func gather(all map[answerKey]*Answer, a *Answer) {
	if a.Refusal == osm.NotRefused {
		return
	}
	key := answerKey{a.Refusal, a.Domain, a.Host, fmt.Sprint(a.Code), a.Enhanced}
	sum := all[key]
	if sum == nil {
		all[key] = a
		return
	}
	sum.Count += a.Count
	if !a.Last.Before(sum.Last) {
		sum.Last, sum.Text, sum.ID, sum.day, sum.seq = a.Last, a.Text, a.ID, a.day, a.seq
	}
}

// refusals reads attempts and hands out each as an answer, without the id of its message.
func (v *view) refusals(d day, from string, args []any, take func(a *Answer, outcome osm.Outcome, seq int64)) error {
	type row struct{ id, time, outcome, refusal, recipient, route, code, enhanced, text int64 }
	var found []row
	names := texts{}
	err := v.each(func(rows *sql.Rows) error {
		var r row
		err := rows.Scan(&r.id, &r.time, &r.outcome, &r.refusal, &r.recipient, &r.route, &r.code, &r.enhanced, &r.text)
		found = append(found, r)
		names.want(r.recipient, r.route, r.enhanced, r.text)
		return err
	}, d.sql("SELECT delivery_DAY.id, time, outcome, refusal, recipient, route, code, enhanced, text "+from), args...)
	if err == nil {
		err = names.load(v, d)
	}
	if err != nil {
		return err
	}
	for _, r := range found {
		take(&Answer{Refusal: osm.Refusal(r.refusal), Domain: strings.ToLower(osm.Domain(names[r.recipient])), Host: parts(names[r.route], 6)[2], Code: int(r.code),
			Enhanced: names[r.enhanced], Text: names[r.text], Count: 1, Last: d.time(r.time)}, osm.Outcome(r.outcome), r.id>>attemptBits)
	}
	return nil
}

// told orders what was gathered.
func (t *tale) told() *Story {
	t.Complete = int64(t.looked) >= t.Total.Messages
	for a := range t.accounts {
		t.Accounts = append(t.Accounts, a)
	}
	slices.Sort(t.Accounts)
	for _, c := range t.clients {
		t.Clients = append(t.Clients, *c)
	}
	slices.SortFunc(t.Clients, func(a, b ClientCount) int { return cmp.Or(cmp.Compare(b.Messages, a.Messages), a.Addr.Compare(b.Addr)) })
	for _, c := range t.domains {
		t.Domains = append(t.Domains, *c)
	}
	slices.SortFunc(t.Domains, func(a, b DomainCount) int {
		return cmp.Or(cmp.Compare(b.Delivered+b.Deferred+b.Failed, a.Delivered+a.Deferred+a.Failed), strings.Compare(a.Domain, b.Domain))
	})
	t.Answers = mostFrequent(t.answers)
	t.Clients, t.Domains = t.Clients[:min(len(t.Clients), storyRows)], t.Domains[:min(len(t.Domains), storyRows)]
	t.Answers = t.Answers[:min(len(t.Answers), storyRows)]
	return &t.Story
}

// mostFrequent puts the most frequent answers first.
func mostFrequent(all map[answerKey]*Answer) []Answer {
	list := make([]Answer, 0, len(all))
	for _, a := range all {
		list = append(list, *a)
	}
	slices.SortFunc(list, func(a, b Answer) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), b.Last.Compare(a.Last), strings.Compare(a.Domain, b.Domain), strings.Compare(a.Host, b.Host),
			cmp.Compare(a.Refusal, b.Refusal), cmp.Compare(a.Code, b.Code), strings.Compare(a.Enhanced, b.Enhanced))
	})
	return list
}
