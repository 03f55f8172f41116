package store

import (
	"database/sql"
	"encoding/json"
	"time"

	"osm"
)

// Found is a message with what became of it so far.
type Found struct {
	osm.Message
	RecipientCount                          int       // of the envelope, as far as it was logged; Recipients may hold fewer
	Delivered, Deferred, Failed, Suppressed int       // attempts by outcome
	Completed                               time.Time // zero while it is on the queue
	NoArrival                               bool      // only deliveries were seen: it arrived before the log began
}

// shownRecipients of each message come with a list of messages.
const shownRecipients = 20

// messageRow is a row of message_*, as in the migration.
type messageRow struct {
	seq, key, time, class, action, flags                  int64
	sender, login, account, user, script, client, subject int64
	delivered, deferred, failed, suppressed               int64
	size, recipients                                      int64
	envelope                                              []byte
	host, port, way, senderFrom, parent, eximID           int64
	completed                                             sql.NullInt64
	line, lastLine                                        int64
}

func (m *messageRow) scan(rows *sql.Rows) error {
	return rows.Scan(&m.seq, &m.key, &m.time, &m.class, &m.action, &m.flags, &m.sender, &m.login, &m.account, &m.user,
		&m.script, &m.client, &m.subject, &m.delivered, &m.deferred, &m.failed, &m.suppressed, &m.size, &m.recipients,
		&m.envelope, &m.host, &m.port, &m.way, &m.senderFrom, &m.parent, &m.eximID, &m.completed, &m.line, &m.lastLine)
}

// texts gathers ids of one day and then reads them in one query.
type texts map[int64]string

func (t texts) want(ids ...int64) {
	for _, id := range ids {
		if id != 0 {
			t[id] = ""
		}
	}
}

func (t texts) load(v *view, d day) error {
	ids := make([]int64, 0, len(t))
	for id := range t {
		ids = append(ids, id)
	}
	list, err := json.Marshal(ids)
	if err != nil {
		return err
	}
	return v.each(func(rows *sql.Rows) error {
		var id int64
		var text string
		err := rows.Scan(&id, &text)
		t[id] = text
		return err
	}, d.sql("SELECT id, text FROM string_DAY WHERE id IN (SELECT value FROM json_each(?))"), string(list))
}

// found reads one message whole.
func (v *view) found(d day, seq int64) (*Found, error) {
	var rows []messageRow
	err := v.each(func(r *sql.Rows) error {
		rows = append(rows, messageRow{})
		return rows[len(rows)-1].scan(r)
	}, d.sql("SELECT * FROM message_DAY WHERE seq = ?"), seq)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, ErrNotFound
	}
	all, err := v.describe(d, rows, int(rows[0].recipients))
	if err != nil {
		return nil, err
	}
	return &all[0], nil
}

// describe turns rows of one day into messages, each with at most so many recipients.
func (v *view) describe(d day, rows []messageRow, recipients int) ([]Found, error) {
	t := texts{}
	for _, m := range rows {
		t.want(m.sender, m.login, m.account, m.user, m.script, m.client, m.subject, m.host, m.way, m.senderFrom, m.parent,
			m.eximID)
		t.want(unpackEnvelope(m.envelope, recipients)...)
	}
	if err := t.load(v, d); err != nil {
		return nil, err
	}
	all := make([]Found, len(rows))
	for i := range rows {
		all[i] = rows[i].describe(d, t, recipients)
		if err := v.verdict(d, rows[i].seq, &all[i].Verdict); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (m *messageRow) describe(d day, t texts, recipients int) Found {
	host, way := parts(t[m.host], 4), parts(t[m.way], 5)
	f := Found{
		Message: osm.Message{
			ID: t[m.eximID], Time: d.time(m.time), Class: osm.Class(m.class), Account: t[m.account], Login: t[m.login],
			User:   t[m.user],
			Script: osm.Script{Path: t[m.script], Sure: osm.Confidence(m.flags & flagScriptMask / flagScript)},
			Client: parseAddr(t[m.client]), ClientPort: uint16(m.port), ClientHost: host[1], Helo: host[0],
			ServerPort: uint16(parseNumber(way[3], 16)), Country: host[2], ASN: uint32(parseNumber(host[3], 32)),
			Protocol: way[0], Auth: way[1], TLS: way[2], Sender: t[m.sender], From: t[m.senderFrom],
			Subject: t[m.subject], Parent: t[m.parent], Queue: way[4], Size: m.size, HasSubject: m.flags&flagSubject != 0,
			Verdict: osm.Verdict{Action: osm.Action(m.action), Shadow: m.flags&flagShadow != 0, Passive: m.flags&flagPassive != 0},
		},
		RecipientCount: int(m.recipients), Delivered: int(m.delivered), Deferred: int(m.deferred),
		Failed: int(m.failed), Suppressed: int(m.suppressed), NoArrival: m.flags&flagNoArrival != 0,
	}
	if m.key >= 0 {
		f.ID = idOf(d, m.key)
	}
	if m.completed.Valid {
		f.Completed = d.time(m.completed.Int64)
	}
	for _, id := range unpackEnvelope(m.envelope, recipients) {
		f.Recipients = append(f.Recipients, t[id])
	}
	return f
}

// verdict adds what is kept of a verdict besides its action.
func (v *view) verdict(d day, seq int64, to *osm.Verdict) error {
	return v.each(func(rows *sql.Rows) error {
		var kind int64
		var findings string
		err := rows.Scan(&to.ID, &to.Rule, &to.Reason, &to.Detail, &kind, &to.Key.Value, &to.Score, &findings)
		to.Key.Kind = osm.KeyKind(kind)
		if err == nil {
			err = json.Unmarshal([]byte(findings), &to.Findings)
		}
		return err
	}, d.sql("SELECT id, rule, reason, detail, kind, value, score, findings FROM verdict_DAY WHERE seq = ?"), seq)
}
