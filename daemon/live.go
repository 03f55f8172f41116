package daemon

import (
	"context"
	"time"
)

// liveEvery is how often those who watch a page are told what happened.
const liveEvery = time.Second

// tellLive ends the frames of the live feed until ctx is done. While nobody watches it does nothing.
func (s *session) tellLive(ctx context.Context) {
	every := time.NewTicker(liveEvery)
	defer every.Stop()
	turns := uint64(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		if !s.live.Watched() {
			continue
		}
		s.mu.Lock()
		held, _, _ := s.holds.book.Size()
		incidents, turned := s.alarm.book.Live(), s.alarm.turns
		s.mu.Unlock()
		s.live.Tick(incidents, held, turned != turns)
		turns = turned
	}
}
