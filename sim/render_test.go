package sim

import (
	"bytes"
	"os"
	"testing"
)

func TestDump(t *testing.T) {
	for s := Recommended; s <= Hestia; s++ {
		w := New(Config{Seed: 3, Accounts: 20, Days: 16, Style: s, Hard: true, Kinds: Kinds(true, true), LongIDs: s == Debian})
		var log, truth bytes.Buffer
		if err := w.WriteLog(&log, &truth); err != nil {
			t.Fatal(err)
		}
		os.WriteFile("/tmp/sim-"+s.String()+".log", log.Bytes(), 0o644)
		os.WriteFile("/tmp/sim-"+s.String()+".tsv", truth.Bytes(), 0o644)
	}
}
