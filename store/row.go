package store

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"net/netip"
	"strconv"
	"time"

	"osm"
)

// Flags of a message row.
const (
	flagNoArrival = 1 << iota // only later things were heard of it
	flagSubject               // the subject was logged
	flagShadow                // the verdict was not carried out
	flagScript                // two bits: osm.Confidence
	_
	flagPassive // nobody had asked: Exim had accepted it
)

const flagScriptMask = 3 * flagScript

// The tables' widths, as in the migrations.
const (
	messageWidth  = 29
	deliveryWidth = 11
	verdictWidth  = 9
	eventWidth    = 11
)

// writeMessage adds the row of a message, and that of its verdict where there is more to say than "accept".
func (w *dayWriter) writeMessage(m *pendingMessage, line, last int64) error {
	t := &w.texts
	key, stray := int64(0), true
	if m.ID != "" {
		key, stray = keyOf(m.ID, w.day)
	} else {
		key = unnamedKey(m.place.seq)
	}
	var flags int64
	if !m.arrived {
		flags |= flagNoArrival
	}
	if m.HasSubject {
		flags |= flagSubject
	}
	if m.Verdict.Shadow {
		flags |= flagShadow
	}
	if m.Verdict.Passive {
		flags |= flagPassive
	}
	flags |= int64(m.Script.Sure) * flagScript
	exim := int64(0)
	if stray {
		exim = t.id(m.ID)
	}
	counts := m.place.counts
	for i, n := range m.counts {
		counts[i] += n
	}
	asn := number(uint64(m.ASN))
	err := w.messages.add(m.place.seq, key, w.day.millis(m.Time), int64(m.Class), int64(m.Verdict.Action), flags,
		t.id(m.Sender), t.id(m.Login), t.id(m.Account), t.id(m.User), t.id(m.Script.Path), t.address(m.Client),
		t.id(m.Subject), counts[osm.Delivered], counts[osm.Deferred], counts[osm.Failed],
		counts[osm.Suppressed], m.Size, int64(len(m.Recipients)), w.envelope(m.Recipients),
		t.tuple(m.Helo, m.ClientHost, m.Country, asn), int64(m.ClientPort),
		t.tuple(m.Protocol, m.Auth, m.TLS, number(uint64(m.ServerPort)), m.Queue), t.id(m.From), t.id(m.Parent), exim,
		w.day.ended(m.completed, m.place.completed), line, last)
	if err != nil {
		return err
	}
	return w.writeVerdict(m.place.seq, &m.Verdict)
}

// keptVerdict tells whether there is more to say than "accept".
func keptVerdict(v *osm.Verdict) bool {
	return v.ID != "" || v.Action != osm.Accept || len(v.Findings) > 0
}

func (w *dayWriter) writeVerdict(seq int64, v *osm.Verdict) error {
	if !keptVerdict(v) {
		return nil
	}
	findings, err := json.Marshal(v.Findings)
	if err != nil {
		findings = []byte("[]") // a weight that is no number
	}
	score := v.Score
	if math.IsNaN(score) {
		score = 0 // SQLite would take it for null
	}
	return w.verdicts.add(seq, clean(v.ID), clean(v.Rule), clean(v.Reason), clean(v.Detail), int64(v.Key.Kind),
		clean(v.Key.Value), score, string(findings))
}

// ended is the later of two times as a column, null when there is none.
func (d day) ended(a, b time.Time) any {
	if a.Before(b) {
		a = b
	}
	if a.IsZero() {
		return nil
	}
	return d.millis(a)
}

// envelope packs the ids of recipients: they are mostly neighbours.
func (w *dayWriter) envelope(recipients []string) any {
	if len(recipients) == 0 {
		return nil
	}
	packed := make([]byte, 0, 4*len(recipients))
	last := int64(0)
	for _, r := range recipients {
		id := w.texts.id(r)
		packed = binary.AppendVarint(packed, id-last)
		last = id
	}
	return packed
}

// unpackEnvelope is the inverse of envelope, for at most max recipients.
func unpackEnvelope(packed []byte, max int) []int64 {
	var ids []int64
	last := int64(0)
	for len(packed) > 0 && len(ids) < max {
		difference, n := binary.Varint(packed)
		if n <= 0 {
			break
		}
		packed = packed[n:]
		last += difference
		ids = append(ids, last)
	}
	return ids
}

// writeDelivery adds the row of an attempt. The text of a delivery is in the raw line; it is mostly an id that the
// receiver made up, and would be the larger part of the row.
func (w *dayWriter) writeDelivery(id int64, d *osm.Delivery, line int64) error {
	t := &w.texts
	original, text, remote, ip := int64(0), int64(0), "", ""
	if d.Original != d.Recipient {
		original = t.id(d.Original)
	}
	if d.Outcome != osm.Delivered {
		text = t.id(d.Text)
	}
	if d.Remote {
		remote = "remote"
	}
	if d.IP.IsValid() {
		ip = d.IP.String()
	}
	return w.deliveries.add(id, w.day.millis(d.Time), int64(d.Outcome), int64(d.Refusal), t.id(d.Recipient), original,
		t.tuple(d.Router, d.Transport, d.Host, ip, number(uint64(d.Port)), remote), int64(d.Code), t.id(d.Enhanced), text, line)
}

// writeEvent adds the row of an event; message is the seq of its message, or 0.
func (w *dayWriter) writeEvent(e *Event, message, line int64) error {
	t := &w.texts
	w.events++
	var seq any
	exim := int64(0)
	if message != 0 {
		seq = message
	} else {
		exim = t.id(e.ID)
	}
	return w.eventRows.add(w.events, w.day.millis(e.Time), int64(e.Kind), seq, exim, t.address(e.Client), t.id(e.Login),
		t.id(e.Sender), t.id(e.Recipient), t.id(e.Text), line)
}

// ranks are the ids of a message's texts that reports rank.
func (w *dayWriter) ranks(m *osm.Message) ranked {
	t := &w.texts
	return ranked{uint32(t.id(m.Account)), uint32(t.id(m.Login)), uint32(t.id(m.Script.Path)), uint32(t.address(m.Client)),
		uint32(t.id(domainOf(m.Sender))), uint32(t.id(m.Subject))}
}

// parts undoes dictionary.tuple; there are always n.
func parts(text string, n int) []string {
	all := make([]string, 0, n)
	if text != "" {
		_ = json.Unmarshal([]byte(text), &all) // what cannot be read stays empty
	}
	for len(all) < n {
		all = append(all, "")
	}
	return all
}

func parseAddr(s string) netip.Addr {
	a, _ := netip.ParseAddr(s) // the zero Addr where there is none
	return a
}

func parseNumber(s string, bits int) uint64 {
	n, _ := strconv.ParseUint(s, 10, bits) // 0 where there is none
	return n
}
