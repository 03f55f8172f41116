package daemon

import (
	"slices"
	"testing"
)

func TestSettle(t *testing.T) {
	if err := settle(); err != nil {
		t.Fatal(err)
	}
	const smaps = `00400000-013f2000 r-xp 00000000 fe:00 9978012                            /usr/bin/osm
Rss:               14804 kB
Anonymous:             0 kB
AnonHugePages:         0 kB
013f2000-0263c000 r--p 00ff2000 fe:00 9978012                            /usr/bin/osm
Anonymous:             4 kB
0263c000-0264c000 r--p 00ff3000 fe:00 9978012                            /usr/bin/osm
Anonymous:             0 kB
0264c000-028cd000 rw-p 0223c000 fe:00 9978012                            /usr/bin/osm
Anonymous:             0 kB
028cd000-04b46000 rw-p 00000000 00:00 0
Anonymous:             0 kB
7f0753bf7000-7f0753d4d000 r-xp 00026000 fe:00 326269                     /usr/lib/libc.so.6
Anonymous:             0 kB
`
	want := []stretch{{0x400000, 0x13f2000}, {0x263c000, 0x264c000}}
	if got := clean(smaps, "/usr/bin/osm"); !slices.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}
