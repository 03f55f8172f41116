package action

import (
	"encoding/json"
	"fmt"
	"sync"
	"time"
)

// Letter is one alert on its way to one receiver, or a mail that is none: a digest, a notice to a customer.
type Letter struct {
	ID      string    `json:"id"` // of the alert and its way: the same at every try, so that a receiver can tell doubles
	Way     string    `json:"way"`
	Alert   Alert     `json:"alert,omitzero"`
	Mail    *Mail     `json:"mail,omitempty"` // goes out as it is, instead of Alert
	Tries   int       `json:"tries"`
	Next    time.Time `json:"next"`  // not before
	Error   string    `json:"error"` // of the last try
	GivenUp bool      `json:"given_up,omitempty"`
	Sent    time.Time `json:"sent,omitzero"`
	sending bool
}

// Outbox holds what is to be told until it has arrived. Any goroutine may use it.
type Outbox struct {
	mu      sync.Mutex
	letters map[string]*Letter
	order   []string // oldest first
	dirty   map[string]bool
}

// Mail is a finished mail, printable.
type Mail struct {
	To      []string  `json:"to"`
	Time    time.Time `json:"time"`
	Subject string    `json:"subject"`
	Text    string    `json:"text"`

	HTML     string    `json:"html,omitempty"` // the same as a page; "": there is none
	Pictures []Picture `json:"pictures,omitempty"`
}

const (
	firstRetry   = 30 * time.Second
	longestRetry = time.Hour
	mostTries    = 40     // a bit more than a day
	mostLetters  = 10_000 // past it the oldest that are done, then the oldest, are forgotten
	keepDone     = 1000   // for people to look at
)

// NewOutbox makes an empty one.
func NewOutbox() *Outbox {
	return &Outbox{letters: map[string]*Letter{}, dirty: map[string]bool{}}
}

// Put adds an alert for every way. What is in the outbox already is not added again.
func (o *Outbox) Put(a Alert, ways []string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, way := range ways {
		o.put(Letter{ID: a.ID + "-" + way, Way: way, Alert: a, Next: a.Time})
	}
	o.trim()
}

// PutLetter adds a letter that is no alert, unless there is one with its id.
func (o *Outbox) PutLetter(l Letter) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.put(l)
	o.trim()
}

func (o *Outbox) put(l Letter) {
	if o.letters[l.ID] == nil {
		o.letters[l.ID] = &l
		o.order = append(o.order, l.ID)
		o.dirty[l.ID] = true
	}
}

// trim keeps the number of letters within bounds.
func (o *Outbox) trim() {
	done := 0
	for _, l := range o.letters {
		if l.over() {
			done++
		}
	}
	kept := o.order[:0]
	for _, id := range o.order {
		l := o.letters[id]
		switch {
		case l.over() && done > keepDone:
			done--
			o.forget(id)
		case len(o.letters) > mostLetters && !l.sending:
			o.forget(id)
		default:
			kept = append(kept, id)
		}
	}
	o.order = kept
}

func (o *Outbox) forget(id string) {
	delete(o.letters, id)
	o.dirty[id] = true
}

func (l *Letter) over() bool { return !l.Sent.IsZero() || l.GivenUp }

// Take hands out the next letter that is due, and the time to look again when there is none (zero: when something is
// put in). Done must follow.
func (o *Outbox) Take(now time.Time) (l Letter, ok bool, next time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, id := range o.order {
		l := o.letters[id]
		if l.over() || l.sending {
			continue
		}
		if !now.Before(l.Next) {
			l.sending = true
			return *l, true, time.Time{}
		}
		if next.IsZero() || l.Next.Before(next) {
			next = l.Next
		}
	}
	return Letter{}, false, next
}

// Done tells how sending a letter went. It is tried again later, unless it arrived, or the error is final.
func (o *Outbox) Done(id string, err error, now time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	l := o.letters[id]
	if l == nil {
		return
	}
	l.sending = false
	l.Tries++
	o.dirty[id] = true
	if err == nil {
		l.Sent, l.Error = now, ""
		return
	}
	l.Error = clip(err.Error(), 500)
	l.GivenUp = isFinal(err) || l.Tries >= mostTries
	l.Next = now.Add(min(firstRetry<<min(l.Tries-1, 20), longestRetry))
}

// Again puts a letter that is over back on its way.
func (o *Outbox) Again(id string, now time.Time) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	l := o.letters[id]
	if l == nil {
		return fmt.Errorf("there is no letter %s in the outbox", id)
	}
	l.Sent, l.GivenUp, l.Tries, l.Next = time.Time{}, false, 0, now
	o.dirty[id] = true
	return nil
}

// Letters lists everything in the outbox, newest first.
func (o *Outbox) Letters() []Letter {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := make([]Letter, 0, len(o.order))
	for i := len(o.order) - 1; i >= 0; i-- {
		all = append(all, *o.letters[o.order[i]])
	}
	return all
}

// Changed tells whether Dirty has something to hand out.
func (o *Outbox) Changed() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return len(o.dirty) > 0
}

// Dirty hands out every letter that changed since the last call as JSON, nil when it is forgotten.
func (o *Outbox) Dirty(fn func(id string, blob []byte)) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id := range o.dirty {
		var blob []byte
		if l, ok := o.letters[id]; ok {
			var err error
			if blob, err = json.Marshal(l); err != nil {
				return fmt.Errorf("write letter %s: %w", id, err)
			}
		}
		fn(id, blob)
	}
	clear(o.dirty)
	return nil
}

// Restore reads what Dirty has handed out. A letter that was being sent when the program ended is sent again.
func (o *Outbox) Restore(blob []byte) error {
	var l Letter
	if err := json.Unmarshal(blob, &l); err != nil || l.ID == "" {
		return fmt.Errorf("read a letter of the outbox: %q: %w", clip(string(blob), 80), err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.letters[l.ID] = &l
	o.order = append(o.order, l.ID)
	return nil
}
