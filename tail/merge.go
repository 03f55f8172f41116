package tail

import (
	"context"
	"math"
	"slices"
	"strings"
	"unsafe"
)

// sequence is a log to read: its files one after the other.
type sequence struct {
	*Reader
	files   []string // that are not yet read to their end
	streams []stream
	first   int64 // time of the first line; math.MinInt64 when unknown
	chunk   Chunk // what has not been given out of the current chunk
	time    int64 // of the chunk's first line
}

// receive takes the next chunk, reading one file ahead so that two can be decompressed at once. It gives false at the
// end, or when ctx is done.
func (s *sequence) receive(ctx context.Context) (item, bool) {
	for len(s.files) > 0 && ctx.Err() == nil {
		for len(s.streams) < min(2, len(s.files)) {
			s.streams = append(s.streams, s.stream(ctx, s.files[len(s.streams)]))
		}
		if i, ok := s.streams[0].next(ctx); ok {
			return i, true
		}
		if ctx.Err() == nil {
			s.streams[0].close()
			s.files, s.streams = s.files[1:], s.streams[1:]
		}
	}
	return item{}, false
}

// merger gives out the chunks of several logs in the order of their lines' times.
type merger struct {
	*Reader
	yield func(Chunk, error) bool
	seq   int
	open  []*sequence // being read
	later []*sequence // that begin later, the earliest first
	mixed Chunk       // lines of several logs, to be given out when it is full
}

// run gives out everything; false when the consumer has had enough.
func (m *merger) run(ctx context.Context) bool {
	m.later = slices.Clone(m.logs)
	if m.Time == nil || len(m.later) == 1 {
		return m.concatenate(ctx)
	}
	slices.SortStableFunc(m.later, func(a, b *sequence) int {
		if a.first < b.first {
			return -1
		} else if a.first > b.first {
			return 1
		}
		return 0
	})
	for len(m.open)+len(m.later) > 0 {
		s := m.earliest()
		if s == nil {
			s = m.later[0]
			m.later = m.later[1:]
			m.open = append(m.open, s)
			s.time = s.first
			if !m.load(ctx, s) {
				return false
			}
			continue
		}
		if !m.give(ctx, s, m.limit(s)) {
			return false
		}
	}
	return m.flush()
}

func (m *merger) concatenate(ctx context.Context) bool {
	for _, s := range m.later {
		for i, ok := s.receive(ctx); ok; i, ok = s.receive(ctx) {
			if !m.emit(i.chunk, i.err) {
				return false
			}
		}
	}
	return true
}

func (m *merger) emit(c Chunk, err error) bool {
	if err == nil {
		c.Seq = m.seq
		m.seq++
	}
	return m.yield(c, err)
}

// earliest is the open log whose next line is the oldest, nil when one that is not yet open comes before it.
func (m *merger) earliest() *sequence {
	var best *sequence
	for _, s := range m.open {
		if best == nil || s.time < best.time {
			best = s
		}
	}
	if best != nil && len(m.later) > 0 && m.later[0].first <= best.time {
		return nil
	}
	return best
}

// limit is up to which time lines can be taken from s before another log has an older one.
func (m *merger) limit(s *sequence) int64 {
	limit := int64(math.MaxInt64)
	for _, other := range m.open {
		if other != s {
			limit = min(limit, other.time)
		}
	}
	if len(m.later) > 0 {
		limit = min(limit, m.later[0].first)
	}
	return limit
}

// give gives out lines of s up to the limit, at least one: the whole chunk as it is where that is possible.
func (m *merger) give(ctx context.Context, s *sequence, limit int64) bool {
	last, ok := m.lastTime(s.chunk.Text)
	if !ok {
		last = s.time
	}
	if last <= limit {
		if !m.flush() || !m.emit(s.chunk, nil) {
			return false
		}
		s.time = max(s.time, last)
		return m.load(ctx, s)
	}
	n := 0
	for line := range Lines(s.chunk.Text) {
		if t, ok := m.Time(line); ok && n > 0 {
			s.time = max(s.time, t)
		}
		if n > 0 && s.time > limit {
			break
		}
		n += len(line) + 1
	}
	return m.mix(s, min(n, len(s.chunk.Text))) && (s.chunk.Text != "" || m.load(ctx, s))
}

// mix copies the first n bytes of the chunk of s, which are whole lines, to the mixed chunk.
func (m *merger) mix(s *sequence, n int) bool {
	text := s.chunk.Text[:n]
	if len(m.mixed.buf)+n+1 > cap(m.mixed.buf) {
		if !m.flush() {
			return false
		}
		m.mixed = Chunk{buf: m.memory(max(m.Size, n+1))[:0], free: m.free}
	}
	m.mixed.buf = append(m.mixed.buf, text...)
	if !strings.HasSuffix(text, "\n") {
		m.mixed.buf = append(m.mixed.buf, '\n')
	}
	m.mixed.Cut += s.chunk.Cut
	m.mixed.CutBytes += s.chunk.CutBytes
	s.chunk.Cut, s.chunk.CutBytes = 0, 0
	s.chunk.Text = s.chunk.Text[n:]
	s.chunk.Offset += int64(n)
	if s.chunk.Text == "" {
		s.chunk.Release()
	}
	return true
}

// flush gives out the mixed chunk.
func (m *merger) flush() bool {
	c := m.mixed
	m.mixed = Chunk{}
	if len(c.buf) == 0 {
		return true
	}
	c.Text = unsafe.String(unsafe.SliceData(c.buf), len(c.buf))
	return m.emit(c, nil)
}

// load takes the next chunk of s and finds the time of its first line; at its end it closes s. Times that go back are
// held at the latest: the order of lines within a log is never changed.
func (m *merger) load(ctx context.Context, s *sequence) bool {
	for {
		i, ok := s.receive(ctx)
		if !ok {
			m.open = slices.DeleteFunc(m.open, func(o *sequence) bool { return o == s })
			return true
		}
		if i.err == nil {
			s.chunk = i.chunk
			break
		}
		if !m.emit(Chunk{}, i.err) {
			return false
		}
	}
	line, _, _ := strings.Cut(s.chunk.Text, "\n")
	if t, ok := m.Time(line); ok {
		s.time = max(s.time, t)
	}
	return true
}
