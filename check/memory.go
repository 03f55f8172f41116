package check

import (
	"sync"
	"sync/atomic"
	"time"
)

// memory remembers replies until their time to live is over. It is bounded in number and bytes: when a half is full it becomes
// the older half, and what was the older one is forgotten, but for what has been asked for since.
type memory struct {
	most       int // replies in one half
	mu         sync.Mutex
	new, old   map[question]*reply
	bytes      int // of the newer half
	hits, miss atomic.Uint64
}

// perReply is what a reply may take on the average, in bytes.
const perReply = 300

func newMemory(replies int) *memory {
	return &memory{most: max(replies/2, 1), new: map[question]*reply{}}
}

func (m *memory) get(q question, now time.Time) (*reply, bool) {
	m.mu.Lock()
	a, ok := m.new[q]
	if !ok {
		if a, ok = m.old[q]; ok {
			m.add(q, a)
		}
	}
	m.mu.Unlock()
	if !ok || !now.Before(a.until) {
		m.miss.Add(1)
		return nil, false
	}
	m.hits.Add(1)
	return a, true
}

func (m *memory) put(q question, a *reply) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.add(q, a)
}

func (m *memory) add(q question, a *reply) {
	if len(m.new) >= m.most || m.bytes >= m.most*perReply {
		m.old, m.new, m.bytes = m.new, make(map[question]*reply, len(m.new)), 0
	}
	if before := m.new[q]; before != nil {
		m.bytes -= before.size() + len(q.name)
	}
	m.new[q] = a
	m.bytes += a.size() + len(q.name)
}

func (m *memory) len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.new) + len(m.old)
}
