package lab

import (
	"context"
	"iter"
	"sync"
	"time"
)

// Letter is one message that somebody sends through the lab, with the truth about it.
type Letter struct {
	Scene Scene

	Script     *Submission // a local submission, whose Input is made of Text; nil goes by SMTP
	Caller     Caller
	Sender     string
	Recipients []string // of a local submission, those of the To header
	Text       string   // headers without Date, an empty line, the body
}

// Send gives a letter to Exim. The error is Exim's refusal, or that it can't be reached.
func (e *Exim) Send(ctx context.Context, l *Letter, now time.Time) error {
	text := "Date: " + now.Format(time.RFC1123Z) + "\n" + l.Text
	if l.Script != nil {
		s := *l.Script
		s.Input = text
		s.Args = []string{"-t", "-i", "-f", l.Sender} // as PHP's mail() calls it
		return e.Submit(ctx, s)
	}
	to := e.SMTP()
	switch {
	case e.front.IsValid():
		to = e.front
	case l.Caller.Login != "":
		to = e.Submission()
	}
	return e.Deliver(ctx, to, l.Caller, l.Sender, l.Recipients, text)
}

// atOnce is how many letters are on their way to Exim at the same time. When Exim can't keep up, senders wait.
const atOnce = 16

// Play sends letters, each at its time after the start, until they or ctx end. What became of each is reported, from many
// goroutines.
func (e *Exim) Play(ctx context.Context, letters iter.Seq2[time.Duration, *Letter], report func(*Letter, error)) {
	var sending sync.WaitGroup
	defer sending.Wait()
	places := make(chan struct{}, atOnce)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	begin := <-tick.C
	now := begin
	for at, letter := range letters {
		for now.Sub(begin) < at {
			select {
			case now = <-tick.C:
			case <-ctx.Done():
				return
			}
		}
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return
		}
		date := now
		sending.Go(func() {
			report(letter, e.Send(ctx, letter, date))
			<-places
		})
	}
}
