package gateway

import (
	"os"
	"sync/atomic"
	"time"
)

// ids makes names for messages in the form of Exim's message ids from 4.97 on (specification, section "Message
// identification"), so that histories need not tell them apart: the second, the process and a counter, each in base 62. No
// Exim has this process's id meanwhile, so none of them can be the same.
type ids struct{ last atomic.Uint64 }

const (
	digits    = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	fractions = 62 * 62 * 62 * 62
)

func (i *ids) next(now time.Time) string {
	var id [23]byte
	write := func(from, to int, n uint64) {
		for at := to - 1; at >= from; at-- {
			id[at] = digits[n%62]
			n /= 62
		}
	}
	write(0, 6, uint64(max(now.Unix(), 0)))
	write(7, 18, uint64(os.Getpid()))
	write(19, 23, i.last.Add(1)%fractions)
	id[6], id[18] = '-', '-'
	return string(id[:])
}
