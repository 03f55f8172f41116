package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"osm"
)

// Feed hands what the engine finds to everybody who watches a page. The engine's side never waits: what comes too fast is
// counted and left out, and whoever reads too slowly is told how much he has missed.
type Feed struct {
	watched atomic.Int64

	mu      sync.Mutex
	waiting []Message // since the last frame
	lost    int
	total   uint64
	ring    [frames]*Frame
	next    uint64        // number of the next frame; the first is 1
	wake    chan struct{} // closed and replaced with each frame
}

const (
	frames     = 64 // about a minute
	mostEvents = 30 // of one frame
)

// Frame is what happened in about a second.
type Frame struct {
	Number    uint64
	Total     uint64    // messages that something was found about, up to the end of this frame
	Messages  []Message // that something was found about, the oldest first
	Lost      int       // further ones that are not told
	Incidents int       // that are live
	Held      int       // messages
	Turned    bool      // an incident has entered a new state

	mu    sync.Mutex
	drawn map[*speech][]byte // for those who see everything
}

// NewFeed makes one that nobody watches.
func NewFeed() *Feed { return &Feed{wake: make(chan struct{}), next: 1} }

// Watched tells whether anybody watches: otherwise nothing need be gathered.
func (f *Feed) Watched() bool { return f != nil && f.watched.Load() > 0 }

// Arrival takes a message about which something was found, from the engine's goroutine.
func (f *Feed) Arrival(m *osm.Message) {
	if !f.Watched() || m.Verdict.Action == osm.Accept && m.Verdict.ID == "" {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.total++
	if len(f.waiting) >= mostEvents {
		f.lost++
		return
	}
	f.waiting = append(f.waiting, liveMessage(m))
}

// liveMessage is what one line of the feed shows. It keeps nothing of the engine's memory.
func liveMessage(m *osm.Message) Message {
	own := func(s string) string { return strings.Clone(cutBytes(s, 500)) }
	subject := own(m.Subject)
	v := Message{Time: m.Time, ID: strings.Clone(m.ID), Class: m.Class, Account: own(m.Account), Login: own(m.Login), User: own(m.User),
		Script: own(m.Script.Path), Client: Address(m.Client), Sender: own(m.Sender), Count: len(m.Recipients), Action: m.Verdict.Action,
		Rule: m.Verdict.Rule, Reason: m.Verdict.Reason, Detail: own(m.Verdict.Detail), Verdict: m.Verdict.ID, Passive: m.Verdict.Passive}
	if m.HasSubject {
		v.Subject = &subject
	}
	return v
}

// Tick ends a frame. State is how many incidents are live, how many messages are held, and whether an incident has turned.
func (f *Feed) Tick(incidents, held int, turned bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ring[f.next%frames] = &Frame{Number: f.next, Total: f.total, Messages: f.waiting, Lost: f.lost, Incidents: incidents, Held: held, Turned: turned,
		drawn: map[*speech][]byte{}}
	f.waiting, f.lost = nil, 0
	f.next++
	close(f.wake)
	f.wake = make(chan struct{})
}

// seen is how far somebody has seen: a frame, and how many messages had been found by then.
type seen struct{ frame, total uint64 }

func (p seen) String() string { return fmt.Sprintf("%d.%d", p.frame, p.total) }

// latest is where somebody begins who has seen nothing yet.
func (f *Feed) latest() seen {
	f.mu.Lock()
	defer f.mu.Unlock()
	return seen{f.next - 1, f.total - uint64(len(f.waiting)+f.lost)}
}

// from is the place that a browser names when it comes again; that of an earlier life of the daemon is of no use.
func (f *Feed) from(last string) seen {
	var p seen
	now := f.latest()
	if n, err := fmt.Sscanf(last, "%d.%d", &p.frame, &p.total); n != 2 || err != nil || p.frame > now.frame || p.total > now.total {
		return now
	}
	return p
}

// after gives the frames that follow a place, how many messages were missed before them, and what tells of the next frame.
func (f *Feed) after(p seen) (list []*Frame, missed int, wake <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	first := p.frame + 1
	if f.next > frames {
		first = max(first, f.next-frames)
	}
	for n := first; n < f.next; n++ {
		list = append(list, f.ring[n%frames])
	}
	if first > p.frame+1 {
		missed = int(list[0].Total - uint64(len(list[0].Messages)+list[0].Lost) - p.total)
	}
	return list, missed, f.wake
}

const (
	livePath  = "/live"
	liveFor   = 2 * time.Minute // then the browser comes again, and it is looked anew who asks
	liveWrite = 10 * time.Second
	liveAgain = 2 * time.Second // until a browser that has lost the connection comes again
)

// live sends frames as server-sent events (HTML Living Standard 9.2), each with its number: a browser that comes again goes on
// where it was.
func (s *Server) live(w http.ResponseWriter, r *http.Request) {
	feed := s.o.Feed
	if feed == nil {
		w.WriteHeader(http.StatusNoContent) // and the browser does not come again
		return
	}
	feed.watched.Add(1)
	defer feed.watched.Add(-1)
	out, say, viewer := http.NewResponseController(w), s.pages.speechFor(r), ViewerOf(r.Context())
	at := feed.from(r.Header.Get("Last-Event-ID"))
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // nginx would wait for more
	ctx, cancel := context.WithTimeout(r.Context(), liveFor)
	defer cancel()
	send := func(text []byte) bool {
		err := out.SetWriteDeadline(time.Now().Add(liveWrite))
		if err == nil {
			_, err = w.Write(text)
		}
		if err == nil {
			err = out.Flush()
		}
		return err == nil
	}
	if !send(fmt.Appendf(nil, "retry: %d\n\n", liveAgain/time.Millisecond)) {
		return
	}
	for {
		list, missed, wake := feed.after(at)
		for _, frame := range list {
			text, err := s.drawFrame(frame, say, viewer, missed)
			if err != nil {
				s.o.Logger.Error("the live feed can't be drawn", "error", err)
				return
			}
			if !send(text) {
				return
			}
			at, missed = seen{frame.Number, frame.Total}, 0
		}
		select {
		case <-ctx.Done():
			return
		case <-wake:
		}
	}
}

// liveEvent is a frame as the page's script takes it.
type liveEvent struct {
	HTML   string `json:"html,omitempty"` // lines of the feed, the newest first
	Lost   int    `json:"lost,omitempty"`
	Counts []int  `json:"counts,omitempty"` // incidents, held
	Turned bool   `json:"turned,omitempty"`
}

// drawFrame writes a frame as an event in a language. For those who see everything it is drawn once.
func (s *Server) drawFrame(f *Frame, say *speech, v *Viewer, missed int) ([]byte, error) {
	if !v.Scope.All || missed > 0 {
		return s.drawEvent(f, say, v, missed)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if text := f.drawn[say]; text != nil {
		return text, nil
	}
	text, err := s.drawEvent(f, say, v, 0)
	f.drawn[say] = text
	return text, err
}

func (s *Server) drawEvent(f *Frame, say *speech, v *Viewer, missed int) ([]byte, error) {
	e := liveEvent{Turned: f.Turned}
	if v.Scope.All {
		e.Lost, e.Counts = f.Lost+missed, []int{f.Incidents, f.Held}
	}
	t, err := s.pages.template(say, "now")
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	for i := len(f.Messages) - 1; i >= 0; i-- {
		if m := &f.Messages[i]; v.Scope.Has(m.Account) && v.May(SeeMessages) {
			if err := t.ExecuteTemplate(&b, "event", m); err != nil {
				return nil, err
			}
		}
	}
	e.HTML = b.String()
	data, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "id: %s\ndata: %s\n\n", seen{f.Number, f.Total}, data), nil
}
