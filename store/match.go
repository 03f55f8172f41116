package store

import (
	"maps"
	"slices"
	"strings"

	"osm"
)

// conditions of a query for the messages of a day, joined by AND.
type conditions struct {
	terms []string
	args  []any

	few        bool           // they leave few messages: what else is wanted is looked at in each
	none       bool           // they leave none
	recipients map[int64]bool // texts of which one must be a recipient, also of a message that no attempt was made for yet
	looked     int64          // texts that had to be looked at one by one
}

func (c *conditions) add(term string, args ...any) {
	c.terms = append(c.terms, term)
	c.args = append(c.args, args...)
}

// choose adds what an index has found.
func (c *conditions) choose(some chosen) {
	c.add(some.sql)
	c.few, c.none = c.few || some.few, c.none || some.none
}

// String is the WHERE clause without the word.
func (c *conditions) String() string {
	if len(c.terms) == 0 {
		return "1"
	}
	return strings.Join(c.terms, " AND ")
}

// conditions of a filter for the rows of message_DAY. few tells that they are asked of few messages.
func (v *view) conditions(d day, f *Filter, few bool) (*conditions, error) {
	c := &conditions{few: few}
	mine, err := v.condition(d)
	if err != nil {
		return nil, err
	}
	c.choose(mine)
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
	if f.Sender == "<>" {
		c.add("sender = 0")
	}
	if err := v.addKeys(d, c, f); err != nil {
		return nil, err
	}
	switch {
	case f.Judged && c.few:
		c.add(d.sql("(SELECT 1 FROM verdict_DAY WHERE verdict_DAY.seq = message_DAY.seq)"))
	case f.Judged:
		c.add(d.sql("seq IN (SELECT seq FROM verdict_DAY)"))
	}
	return c, v.addAttempts(d, c, f)
}

// keyPattern is a text, or a pattern, that messages are to bear.
type keyPattern struct {
	kind    osm.KeyKind
	pattern string
}

// keys are what a filter wants messages to bear: whole texts first, which leave few messages.
func (f *Filter) keys() (whole, patterns []keyPattern) {
	sender, client := f.Sender, f.Client
	if sender == "<>" {
		sender = "" // that is no text
	}
	if a := parseAddr(client); a.IsValid() {
		client = a.String() // in the usual spelling
	}
	all := []keyPattern{{osm.KeySender, sender}, {osm.KeyLogin, f.Login}, {osm.KeyAccount, f.Account}, {osm.KeyUser, f.User},
		{osm.KeyScript, f.Script}, {osm.KeyClient, client}}
	if f.Subject != "" {
		all = append(all, keyPattern{osm.KeySubject, "*" + strings.Trim(f.Subject, "*") + "*"})
	}
	for _, one := range all {
		domain, ok := strings.CutPrefix(one.pattern, "*@")
		switch {
		case one.pattern == "":
		case ok && one.kind == osm.KeySender && !strings.ContainsAny(domain, "*@"):
			whole = append(whole, keyPattern{osm.KeySenderDomain, strings.ToLower(domain)})
		case isPattern(one.pattern):
			patterns = append(patterns, one)
		default:
			whole = append(whole, one)
		}
	}
	return whole, patterns
}

// addKeys wants messages to bear what a filter asks for.
func (v *view) addKeys(d day, c *conditions, f *Filter) error {
	whole, patterns := f.keys()
	for _, one := range whole {
		ids, err := v.textIDs(d, "nocase", clean(one.pattern))
		if err != nil {
			return err
		}
		some, err := v.bearing(d, one.kind, ids)
		if err != nil {
			return err
		}
		c.choose(some)
	}
	for _, one := range patterns {
		if err := v.addPattern(d, c, one); err != nil || c.none {
			return err
		}
	}
	return nil
}

// rareTexts is how many texts are looked up by whom they are borne; more of them are looked for in all messages.
const rareTexts = 1000

// addPattern wants messages to bear a text that a pattern stands for: it is looked for among the texts of the day.
func (v *view) addPattern(d day, c *conditions, one keyPattern) error {
	column := columnOf[one.kind]
	if c.few {
		match, arg := matchText(one.pattern)
		c.add(d.sql("(SELECT "+match+" FROM string_DAY WHERE id = "+column+")"), arg)
		return nil
	}
	ids, looked, err := v.textsLike(d, one.pattern)
	c.looked += looked
	if err != nil {
		return err
	}
	if len(ids) > rareTexts {
		c.add(column + " IN " + numbers(ids))
		return nil
	}
	some, err := v.bearing(d, one.kind, ids)
	c.choose(some)
	return err
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
	if f.Recipient != "" && !c.none {
		if err := v.addRecipients(d, c, f.Recipient); err != nil {
			return err
		}
		set := numbers(slices.Collect(maps.Keys(c.recipients)))
		attempt.add("(recipient IN " + set + " OR original IN " + set + ")")
	}
	if len(attempt.terms) == 0 {
		return nil
	}
	term := "seq IN (SELECT id >> 20 FROM delivery_DAY WHERE "
	end := ")"
	if c.few { // not with EXISTS, of which SQLite makes a join that begins with all attempts
		term, end = "(SELECT 1 FROM delivery_DAY WHERE delivery_DAY.id BETWEEN seq << 20 AND (seq << 20) + 1048575 AND ", " LIMIT 1)"
	}
	term = d.sql(term) + attempt.String() + end
	if alone {
		term = "(delivered + deferred + failed + suppressed = 0 AND recipients > 0 OR " + term + ")"
	}
	c.add(term, attempt.args...)
	return nil
}

// addRecipients finds the recipients that a pattern stands for, and the messages to them where those are not too many.
func (v *view) addRecipients(d day, c *conditions, pattern string) (err error) {
	var ids []int64
	if isPattern(pattern) {
		var looked int64
		ids, looked, err = v.textsLike(d, pattern)
		c.looked += looked
	} else {
		ids, err = v.textIDs(d, "nocase", clean(pattern))
	}
	if err != nil {
		return err
	}
	c.recipients = map[int64]bool{}
	for _, id := range ids {
		c.recipients[id] = true
	}
	if len(ids) > rareTexts {
		return nil
	}
	some, err := v.bearing(d, osm.KeyRecipient, ids)
	c.choose(some)
	return err
}

func isPattern(text string) bool { return strings.HasPrefix(text, "*") || strings.HasSuffix(text, "*") }

// middle is a pattern without what stands for anything.
func middle(pattern string) string {
	return strings.TrimSuffix(strings.TrimPrefix(clean(pattern), "*"), "*")
}

// matchText is the condition on string_DAY.text for a pattern with `*` at the start or end, and its argument.
func matchText(pattern string) (condition, arg string) {
	if !isPattern(pattern) {
		return "text = ? COLLATE NOCASE", clean(pattern)
	}
	arg = strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(middle(pattern))
	if strings.HasPrefix(pattern, "*") {
		arg = "%" + arg
	}
	if strings.HasSuffix(pattern, "*") {
		arg += "%"
	}
	return `text LIKE ? ESCAPE '\'`, arg
}
