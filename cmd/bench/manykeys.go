package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"osm/config"
	"osm/daemon"
)

// memory lets the daemon read messages that all have another login, sender, recipient, client and id, and looks at its memory
// half-way and at the end: it must be bounded whatever an attacker invents.
func (b *bench) memory(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp(b.dir, "keys")
	if err != nil {
		return err
	}
	const half = 500_000
	log := filepath.Join(dir, "mainlog")
	size, err := writeStrangers(log, 0, half)
	if err != nil {
		return err
	}
	d, err := b.daemon(ctx, dir, log, "")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.stop()) }()
	var mb [2]float64
	for i := range mb {
		if i == 1 {
			more, err := writeStrangers(log, half, half)
			if err != nil {
				return err
			}
			size += more
		}
		if err := d.caughtUp(ctx, size); err != nil {
			return err
		}
		if mb[i], err = d.memory("VmHWM"); err != nil {
			return err
		}
	}
	b.table.add(row{what: "a million senders, addresses, ids", measured: fmt.Sprintf("%.0f MB at most", mb[1]),
		than: fmt.Sprintf("half as many, %.0f MB", mb[0]), ratio: fmt.Sprintf("%.2f", mb[1]/mb[0]), bar: limits()})
	return nil
}

// limits is what the settings allow (detect.senders, detect.known, track.memory), and half of it again for garbage.
func limits() string {
	bytes := daemon.Remembered(config.Defaults())
	return fmt.Sprintf("%d MB remembered by the settings, %d MB with garbage, and what is being saved", bytes>>20, bytes*3/2>>20)
}

// writeStrangers appends n messages to a log, each with everything of its own, and tells how many bytes that were.
func writeStrangers(path string, first, n int) (size int64, err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	start := time.Now().Add(-2 * time.Hour).UTC()
	for i := first; i < first+n; i++ {
		at := start.Add(time.Duration(i) * 5 * time.Millisecond)
		id := base62(uint64(at.Unix())) + "-" + base62(uint64(i)) + "-0A"
		stamp := at.Format("2006-01-02 15:04:05")
		written, err := fmt.Fprintf(w, "%[1]s %[2]s <= u%[3]d@s%[3]d.example H=(h%[3]d) [%[4]d.%[5]d.%[6]d.7]:4000 P=esmtpsa X=TLS1.3 "+
			"A=dovecot_login:u%[3]d@s%[3]d.example S=1000 T=\"t%[3]d\" for r%[3]d@d%[3]d.example\n%[1]s %[2]s Completed\n",
			stamp, id, i, 20+i>>16, i>>8&255, i&255)
		if err != nil {
			return 0, errors.Join(err, f.Close())
		}
		size += int64(written)
	}
	return size, errors.Join(w.Flush(), f.Close())
}

// base62 writes six characters as in Exim's message ids (specification 3.4).
func base62(n uint64) string {
	const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	var b [6]byte
	for i := len(b) - 1; i >= 0; i-- {
		b[i], n = digits[n%62], n/62
	}
	return string(b[:])
}
