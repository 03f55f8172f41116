package check

import (
	"sync"
	"sync/atomic"
	"time"
)

// memory remembers values until their time is over. It is bounded in number and bytes: when a half is full it becomes the
// older half, and what was the older one is forgotten, but for what has been asked for since.
type memory[K comparable, V interface{ size() int }] struct {
	most       int // values in one half
	mu         sync.Mutex
	new, old   map[K]kept[V]
	bytes      int // of the newer half
	hits, miss atomic.Uint64
}

type kept[V any] struct {
	value V
	until time.Time
}

// perValue is what a value may take on the average, in bytes.
const perValue = 300

func newMemory[K comparable, V interface{ size() int }](values int) *memory[K, V] {
	return &memory[K, V]{most: max(values/2, 1), new: map[K]kept[V]{}}
}

func (m *memory[K, V]) get(key K, now time.Time) (value V, ok bool) {
	m.mu.Lock()
	v, ok := m.new[key]
	if !ok {
		if v, ok = m.old[key]; ok && now.Before(v.until) {
			m.add(key, v)
		}
	}
	m.mu.Unlock()
	if !ok || !now.Before(v.until) {
		m.miss.Add(1)
		return value, false
	}
	m.hits.Add(1)
	return v.value, true
}

func (m *memory[K, V]) put(key K, value V, until time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.add(key, kept[V]{value, until})
}

func (m *memory[K, V]) add(key K, v kept[V]) {
	if len(m.new) >= m.most || m.bytes >= m.most*perValue {
		m.old, m.new, m.bytes = m.new, make(map[K]kept[V], len(m.new)), 0
	}
	if before, ok := m.new[key]; ok {
		m.bytes -= before.value.size()
	}
	m.new[key] = v
	m.bytes += v.value.size()
}

func (m *memory[K, V]) len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.new) + len(m.old)
}
