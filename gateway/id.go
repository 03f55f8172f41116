package gateway

import (
	"sync/atomic"
	"time"
)

// ids makes names for messages, for the history and until the upstream has given one: the second, the process and a counter,
// each in base 62. They are no message ids of Exim's, so that nobody looks for them in its queue.
type ids struct {
	process uint64
	last    atomic.Uint64
}

const (
	digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	idSize = len("gwSSSSSSPPPPNNNN")
	idMost = 62 * 62 * 62 * 62
)

func (i *ids) next(now time.Time) string {
	var id [idSize]byte
	write := func(from, to int, n uint64) {
		for at := to - 1; at >= from; at-- {
			id[at] = digits[n%62]
			n /= 62
		}
	}
	copy(id[:], "gw")
	write(2, 8, uint64(max(now.Unix(), 0)))
	write(8, 12, i.process)
	write(12, 16, i.last.Add(1)%idMost)
	return string(id[:])
}
