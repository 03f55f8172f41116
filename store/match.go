package store

import (
	"strings"
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
func (f *Filter) conditions(d day) *conditions {
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
	if f.Sender == "<>" {
		c.add("sender = 0")
	} else {
		c.addText("sender", f.Sender)
	}
	c.addText("login", f.Login)
	c.addText("account", f.Account)
	c.addText("user", f.User)
	c.addText("script", f.Script)
	if a := parseAddr(f.Client); a.IsValid() {
		c.addText("client", a.String()) // in the usual spelling
	} else {
		c.addText("client", f.Client)
	}
	if f.Subject != "" {
		c.addText("subject", "*"+strings.Trim(f.Subject, "*")+"*")
	}
	f.addAttempts(c)
	return c
}

// addText wants a column to hold a text. The texts are looked through once, then the messages: an index for each would
// make the database half as large again and save 0.1 s for a million messages.
func (c *conditions) addText(column, pattern string) {
	if pattern == "" {
		return
	}
	match, arg := matchText(pattern)
	c.add(column+" IN (SELECT id FROM string_DAY WHERE "+match+")", arg)
}

// addAttempts wants one attempt to be all that is asked of attempts. A message that none was made for yet, being held,
// is let through here when a recipient is asked for alone: its envelope is looked at later.
func (f *Filter) addAttempts(c *conditions) {
	var attempt conditions
	if f.Outcome != nil {
		attempt.add("outcome = ?", int64(*f.Outcome))
	}
	if f.Refusal != 0 {
		attempt.add("refusal = ?", int64(f.Refusal))
	}
	alone := len(attempt.terms) == 0
	if f.Recipient != "" {
		match, arg := matchText(f.Recipient)
		set := "(SELECT id FROM string_DAY WHERE " + match + ")"
		attempt.add("(recipient IN "+set+" OR original IN "+set+")", arg, arg)
	}
	if len(attempt.terms) == 0 {
		return
	}
	term := "seq IN (SELECT id >> 20 FROM delivery_DAY WHERE " + attempt.String() + ")"
	if alone {
		term = "(delivered + deferred + failed + suppressed = 0 AND recipients > 0 OR " + term + ")"
	}
	c.add(term, attempt.args...)
}

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
