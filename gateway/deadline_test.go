package gateway

import (
	"bufio"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestDeadline: a deadline never comes before the time that was promised, is left alone while it keeps that, and never comes
// after the end.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d deadline
		begun, none := time.Now(), time.Time{}
		for _, step := range []struct {
			pass, wait time.Duration
			end        time.Time
			until      time.Duration // from the beginning
			due        bool
		}{
			{0, 8 * time.Minute, none, 9 * time.Minute, true},
			{time.Minute, 8 * time.Minute, none, 9 * time.Minute, false},
			{time.Second, 8 * time.Minute, none, 10*time.Minute + time.Second, true},
			{0, 8 * time.Second, none, time.Minute + 10*time.Second, true},
			{0, 8 * time.Minute, begun.Add(2 * time.Minute), 2 * time.Minute, true},
			{time.Second, 8 * time.Minute, begun.Add(2 * time.Minute), 2 * time.Minute, false},
		} {
			<-time.After(step.pass)
			if until, due := d.nextDeadline(step.wait, step.end); due != step.due || until.Sub(begun) != step.until {
				t.Errorf("%+v: until %v, due %v", step, until.Sub(begun), due)
			}
		}
	})
}

// TestChunkRefused: a server that refuses a chunk refuses its end as well, and is asked on in step.
func TestChunkRefused(t *testing.T) {
	ours, theirs := net.Pipe()
	defer ours.Close()
	go func() {
		in := bufio.NewReader(theirs)
		for {
			line, err := in.ReadString('\n')
			if err != nil {
				return
			}
			switch {
			case strings.HasPrefix(line, "BDAT 3"):
				in.Discard(3)
			case line == "BDAT 0 LAST\r\n":
				theirs.Write([]byte("452 4.3.1 no room\r\n503 5.5.1 RSET first\r\n"))
			default:
				theirs.Write([]byte("250 2.0.0 " + line))
			}
		}
	}()
	l := &link{conn: ours, wire: wire{conn: ours, wait: time.Minute}}
	if said, err := l.chunk([]byte("a\r\n"), &buffers{}); err != nil || said.code != 452 {
		t.Errorf("%d %s, %v", said.code, said.raw, err)
	}
	if said, err := l.ask("RSET"); err != nil || string(said.raw) != "250 2.0.0 RSET\r\n" {
		t.Errorf("%d %s, %v", said.code, said.raw, err)
	}
}
