package store

import (
	"strings"

	"osm"
)

// conditions of a query, joined by AND.
type conditions struct {
	terms []string
	args  []any
}

func (c *conditions) add(term string, args ...any) {
	c.terms = append(c.terms, term)
	c.args = append(c.args, args...)
}

// String is the WHERE clause without the word.
func (c *conditions) String() string {
	if len(c.terms) == 0 {
		return "1"
	}
	return strings.Join(c.terms, " AND ")
}

// conditions of a filter for the rows of message_DAY.
func (v *view) conditions(d day, f *Filter) (*conditions, error) {
	c := &conditions{}
	if f.ID != "" {
		key, _ := keyOf(f.ID, d)
		c.add("key = ?", key)
	}
	if !f.Since.IsZero() {
		c.add("time >= ?", d.millis(f.Since))
	}
	if !f.Until.IsZero() {
		c.add("time < ?", d.millis(f.Until))
	}
	if f.Class != 0 {
		c.add("class = ?", int64(f.Class))
	}
	if f.Action != nil {
		c.add("action = ?", int64(*f.Action))
	}
	if f.Judged {
		c.add(d.sql("seq IN (SELECT seq FROM verdict_DAY)"))
	}
	sender, client := f.Sender, f.Client
	if sender == "<>" {
		c.add("sender = 0")
		sender = ""
	}
	if a := parseAddr(client); a.IsValid() {
		client = a.String() // in the usual spelling
	}
	for _, one := range []struct {
		kind    osm.KeyKind
		pattern string
	}{{osm.KeySender, sender}, {osm.KeyLogin, f.Login}, {osm.KeyAccount, f.Account}, {osm.KeyUser, f.User}, {osm.KeyScript, f.Script}, {osm.KeyClient, client}} {
		if err := v.addKey(d, c, one.kind, one.pattern); err != nil {
			return nil, err
		}
	}
	if f.Subject != "" {
		match, arg := matchText("*" + strings.Trim(f.Subject, "*") + "*")
		c.add("subject IN (SELECT id FROM string_DAY WHERE "+match+")", arg)
	}
	return c, v.addAttempts(d, c, f)
}

// addKey wants a message to bear a value. A domain's senders, and whole texts, are found by the indexes; for other patterns all
// texts of the day are looked through.
func (v *view) addKey(d day, c *conditions, kind osm.KeyKind, pattern string) error {
	if pattern == "" {
		return nil
	}
	if domain, ok := strings.CutPrefix(pattern, "*@"); ok && kind == osm.KeySender && !strings.ContainsAny(domain, "*@") {
		kind, pattern = osm.KeySenderDomain, strings.ToLower(domain)
	}
	if isPattern(pattern) {
		match, arg := matchText(pattern)
		c.add(columnOf[kind]+" IN (SELECT id FROM string_DAY WHERE "+match+")", arg)
		return nil
	}
	ids, err := v.textIDs(d, "nocase", clean(pattern))
	if err != nil {
		return err
	}
	bearing, err := v.bearing(d, kind, ids)
	c.add(bearing)
	return err
}

// recipients is the set of texts that a pattern stands for, and its argument.
func (v *view) recipients(d day, pattern string) (set string, args []any, err error) {
	if isPattern(pattern) {
		match, arg := matchText(pattern)
		return "(SELECT id FROM string_DAY WHERE " + match + ")", []any{arg}, nil
	}
	ids, err := v.textIDs(d, "nocase", clean(pattern))
	return "(" + idList(ids) + ")", nil, err
}

// addAttempts wants one attempt to be all that is asked of attempts. A message that none was made for yet, being held,
// is let through here when a recipient is asked for alone: its envelope is looked at later.
func (v *view) addAttempts(d day, c *conditions, f *Filter) error {
	var attempt conditions
	if f.Outcome != nil {
		attempt.add("outcome = ?", int64(*f.Outcome))
	}
	if f.Refusal != 0 {
		attempt.add("refusal = ?", int64(f.Refusal))
	}
	alone := len(attempt.terms) == 0
	if f.Recipient != "" {
		set, args, err := v.recipients(d, f.Recipient)
		if err != nil {
			return err
		}
		attempt.add("(recipient IN "+set+" OR original IN "+set+")", append(args, args...)...)
	}
	if len(attempt.terms) == 0 {
		return nil
	}
	term := d.sql("seq IN (SELECT id >> 20 FROM delivery_DAY WHERE " + attempt.String() + ")")
	if alone {
		term = "(delivered + deferred + failed + suppressed = 0 AND recipients > 0 OR " + term + ")"
	}
	c.add(term, attempt.args...)
	return nil
}

func isPattern(text string) bool { return strings.HasPrefix(text, "*") || strings.HasSuffix(text, "*") }

// matchText is the condition on string_DAY.text for a pattern with `*` at the start or end, and its argument.
func matchText(pattern string) (condition, arg string) {
	pattern = clean(pattern)
	middle := strings.TrimSuffix(strings.TrimPrefix(pattern, "*"), "*")
	if middle == pattern {
		return "text = ? COLLATE NOCASE", pattern
	}
	arg = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(middle)
	if strings.HasPrefix(pattern, "*") {
		arg = "%" + arg
	}
	if strings.HasSuffix(pattern, "*") {
		arg += "%"
	}
	return `text LIKE ? ESCAPE '\'`, arg
}
