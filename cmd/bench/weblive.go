package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	watching  = 200
	watchFor  = 20 * time.Second
	busyEach  = 20 * time.Millisecond // a message on the busy server
	clockTick = 100                   // of /proc/PID/stat, in a second: Linux has no other for programs
)

// viewers lets many browsers watch a server with much mail, and compares with the same mail unwatched: before and after, since what the
// pages have left to do in the background may still be under way before.
func (b *bench) viewers(ctx context.Context, w *website) error {
	before, _, err := w.busy(ctx, 0)
	if err != nil {
		return err
	}
	watched, frames, err := w.busy(ctx, watching)
	if err != nil {
		return err
	}
	after, _, err := w.busy(ctx, 0)
	if err != nil {
		return err
	}
	quiet := min(before, after)
	b.table.add(row{what: fmt.Sprintf("%d viewers of the live feed", watching), measured: fmt.Sprintf("%.1f %% of a core, %.1f frames a second each", 100*(watched-quiet), frames),
		than: fmt.Sprintf("the same mail unwatched, %.1f %%", 100*quiet), bar: "10 %"})
	return nil
}

// busy has mail come in for a while, and tells how much of a core the daemon took and how many frames each viewer got in a second.
func (w *website) busy(ctx context.Context, viewers int) (share, frames float64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	var got atomic.Int64
	joined, failed := make(chan error, viewers), make(chan error, 1)
	for range viewers {
		all.Go(func() { joined <- w.watch(ctx, &got, func() { joined <- nil }) })
	}
	for range viewers {
		if err := <-joined; err != nil {
			return 0, 0, err
		}
	}
	all.Go(func() { failed <- w.mail(ctx) })
	time.Sleep(3 * time.Second) // until mail has begun to come
	got.Store(0)
	before, err := w.cpu()
	if err != nil {
		return 0, 0, err
	}
	start := time.Now()
	time.Sleep(watchFor)
	after, err := w.cpu()
	took := time.Since(start)
	seen := got.Load()
	cancel()
	err = errors.Join(err, <-failed)
	return (after - before).Seconds() / took.Seconds(), float64(seen) / float64(max(viewers, 1)) / took.Seconds(), err
}

// watch reads events until ctx is done, and counts those with messages.
func (w *website) watch(ctx context.Context, got *atomic.Int64, joined func()) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.address+"/live", nil)
	if err != nil {
		return err
	}
	answer, err := w.users["admin"].Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	joined()
	lines := bufio.NewReaderSize(answer.Body, 64<<10)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return nil // watched long enough
		}
		if strings.Contains(line, `"html"`) {
			got.Add(1)
		}
	}
}

// mail writes the log of a server with much mail: a message every few milliseconds, every tenth of them suspect.
func (w *website) mail(ctx context.Context) error {
	f, err := os.OpenFile(w.dir+"/mainlog", os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	tick := time.NewTicker(busyEach)
	defer tick.Stop()
	for n := int(time.Now().UnixMilli() % 1e9); ; n++ {
		select {
		case <-ctx.Done():
			return f.Close()
		case at := <-tick.C:
			id := base62(uint64(at.Unix())) + "-" + base62(uint64(n)) + "-0A"
			_, err := fmt.Fprintf(f, "%[1]s %[2]s <= u%[3]d@shop%[4]d.example H=(h) [192.0.2.%[4]d]:4000 P=esmtpsa X=TLS1.3 A=dovecot_login:u%[3]d@shop%[4]d.example "+
				"S=1000 T=\"t%[5]d\" for r%[3]d@far.example\n%[1]s %[2]s => r%[3]d@far.example R=dnslookup T=remote_smtp H=mx.far.example [198.51.100.7] C=\"250 ok\"\n%[1]s %[2]s Completed\n",
				at.UTC().Format(time.DateTime), id, n%1000, n%200, n)
			if err != nil {
				return errors.Join(err, f.Close())
			}
		}
	}
}

// cpu is what the daemon has used of all cores.
func (d *running) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", d.command.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:])) // from the third on: proc(5)
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / clockTick, errors.Join(err1, err2)
}
