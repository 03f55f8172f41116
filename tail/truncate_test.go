package tail

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

func TestCopytruncate(t *testing.T) {
	bubble(t, func(d *folder) {
		d.append("mainlog", "one\n")
		d.want("one")
		d.append("mainlog", "two\n")
		d.copytruncate("mainlog.1", func() { d.append("mainlog", "lost\n") })
		d.append("mainlog", "three\n")
		d.want("one", "two", "three")
		d.wantGaps(1)
		if d.at[0] != 2 {
			t.Errorf("the gap is reported after line %d", d.at[0])
		}
		if s := d.status(); s.Gaps != 1 || !strings.Contains(s.LastGap, "mainlog.1 is a copy") {
			t.Errorf("status %+v", s)
		}
	})
}

// What is read in the gap itself is neither lost nor given twice; what was only seen is counted.
func TestCopytruncateCountsWhatItSaw(t *testing.T) {
	for _, one := range []string{"one", strings.Repeat("one", headSize)} { // the copy begins like the log, or is too short
		bubble(t, func(d *folder) {
			d.append("mainlog", one+"\n")
			d.want(one)
			d.copytruncate("mainlog.1", func() {
				d.append("mainlog", "two\ntorn")
				d.want(one, "two")
			})
			d.append("mainlog", "three\n")
			d.want(one, "two", "three")
			d.wantGaps(1)
			if d.gaps[0].Bytes != 4 {
				t.Errorf("%d bytes are lost, want 4", d.gaps[0].Bytes)
			}
		})
	}
}

// That a log was truncated under the reader's eyes is known without the file's age.
func TestCopytruncateOfAYoungLog(t *testing.T) {
	bubble(t, func(d *folder) {
		d.append("mainlog", "one\n")
		d.want("one")
		d.append("mainlog.1", "one\n")
		d.check(os.Truncate(d.log, 0))
		d.append("mainlog", "2\n")
		d.want("one", "2")
		d.wantGaps(1)
	})
}

func TestCopytruncateWhileDown(t *testing.T) {
	for _, zip := range []bool{false, true} {
		bubble(t, func(d *folder) {
			d.append("mainlog", "one\n")
			d.want("one")
			d.stop()
			d.append("mainlog", "two\n")
			d.copytruncate("mainlog.2", func() {})
			d.append("mainlog", "three\ntorn")
			d.copytruncate("mainlog.1", func() {})
			if zip {
				d.gzip("mainlog.2")
				d.gzip("mainlog.1")
			}
			d.append("mainlog", "a log that has grown past the offset\n")
			d.want("one", "two", "three", "a log that has grown past the offset")
			d.wantGaps(2)
			if fmt.Sprint(d.at) != "[2 3]" || d.gaps[0].Bytes != 0 || d.gaps[1].Bytes != 4 {
				t.Errorf("gaps %+v after lines %v", d.gaps, d.at)
			}
			d.restart()
			d.append("mainlog", "four\n")
			d.want("one", "two", "three", "a log that has grown past the offset", "four")
			d.wantGaps(2)
		})
	}
}

// Renamed logs bear no gap, whatever becomes of their inodes and times.
func TestRenamedLogsBearNoGap(t *testing.T) {
	bubble(t, func(d *folder) {
		d.append("mainlog", "0\n")
		want := []string{"0"}
		d.want(want...)
		for i := range 30 {
			if i%3 == 0 {
				d.stop()
			}
			line := fmt.Sprint(i + 1)
			d.append("mainlog", line+"\n")
			if i > 1 {
				d.remove("mainlog.2.gz")
			}
			if i > 0 {
				d.gzip("mainlog.1")
				d.rename("mainlog.1.gz", "mainlog.2.gz")
			}
			d.rename("mainlog", "mainlog.1")
			d.append("mainlog", "")
			want = append(want, line)
			d.want(want...)
			d.wantGaps(0)
		}
	})
}

func TestTruncatedLogThatHasGrownPastTheOffset(t *testing.T) {
	bubble(t, func(d *folder) {
		d.append("mainlog", "one\ntwo\n")
		d.want("one", "two")
		d.copytruncate("mainlog.1", func() {})
		d.append("mainlog", "three, longer than what was there before\n")
		d.want("one", "two", "three, longer than what was there before")
		d.wantGaps(1)
	})
}

func TestCopyInTheMakingIsPassedOver(t *testing.T) {
	bubble(t, func(d *folder) {
		d.append("mainlog.1", "one\n")
		d.opts.Start = StartOldest
		d.want("one")
		d.stop()
		d.rename("mainlog.1", "mainlog.2")
		d.append("mainlog.1", "two\n")
		d.append("mainlog", "two\nthree\n")
		d.want("one", "two", "three")
		d.remove("mainlog.1")
		d.copytruncate("mainlog.1", func() {})
		d.append("mainlog", "four\n")
		d.want("one", "two", "three", "four")
		d.wantGaps(1)
	})
}

func TestTruncatedWithoutACopy(t *testing.T) {
	bubble(t, func(d *folder) {
		d.append("mainlog", "one\n")
		d.want("one")
		d.check(os.Truncate(d.log, 0))
		d.want("one")
		d.append("mainlog", "two\n")
		d.want("one", "two")
		d.wantGaps(1)
	})
}

func TestTheFileIsGone(t *testing.T) {
	bubble(t, func(d *folder) {
		d.append("mainlog.1", "old\n")
		d.gzip("mainlog.1")
		d.append("mainlog", "one\n")
		d.want("one")
		d.stop()
		d.append("mainlog", "lost\n")
		d.remove("mainlog")
		d.append("mainlog", "two\n")
		d.rename("mainlog", "mainlog.1")
		d.append("mainlog", "three\n")
		d.want("one", "two", "three")
		d.wantGaps(1)
		if !strings.Contains(d.gaps[0].Reason, "was read up to byte 4 is gone") {
			t.Errorf("%+v", d.gaps)
		}
	})
}

// A running follower holds the file open, so nothing in it is lost.
func TestTheFileIsDeletedWhileItIsRead(t *testing.T) {
	bubble(t, func(d *folder) {
		d.append("mainlog", "one\n")
		d.want("one")
		d.append("mainlog", "two\n")
		d.remove("mainlog")
		d.append("mainlog", "three\n")
		d.want("one", "two", "three")
		d.wantGaps(1)
		if !strings.Contains(d.gaps[0].Reason, "is gone") || d.gaps[0].Bytes != 0 {
			t.Errorf("%+v", d.gaps)
		}
	})
}

// An editor, or a person, has taken lines out of the log.
func TestEditedLog(t *testing.T) {
	var head string // more than the fingerprint covers
	var lines []string
	for i := range 20 {
		lines = append(lines, fmt.Sprintf("line %d %s", i, strings.Repeat("x", 100)))
		head += lines[i] + "\n"
	}
	for _, edited := range []string{head + "two\n", head + "two and much more than there was\n"} {
		for _, down := range []bool{false, true} {
			for _, inPlace := range []bool{false, true} {
				bubble(t, func(d *folder) {
					want := append(lines, "one", "two")
					d.append("mainlog", head+"one\ntwo\n")
					d.want(want...)
					if down {
						d.stop()
					}
					if !inPlace {
						d.remove("mainlog")
					}
					d.check(os.WriteFile(d.log, []byte(edited), 0o640))
					d.drain()
					d.append("mainlog", "three\n")
					d.drain()
					d.wantState(Following, "")
					if inPlace && !down && len(edited) > len(head)+8 {
						return // looks like a log that has grown
					}
					d.read(append(want, "three")...)
					d.wantGaps(1)
				})
			}
		}
	}
}
