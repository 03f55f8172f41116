package store

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestKeyOfRealIDs(t *testing.T) {
	for id, want := range map[string]time.Time{
		"1xVPM1-0008UQ-2f":        time.Date(2026, 11, 23, 8, 24, 49, 0, time.UTC),
		"1xVPXa-000000005T7-1VWZ": time.Date(2026, 11, 23, 8, 36, 46, 0, time.UTC),
	} {
		e, ok := parseID(id)
		if !ok || !time.Unix(e.second, 0).UTC().Equal(want) {
			t.Errorf("%s is of %v, %v; want %v", id, time.Unix(e.second, 0).UTC(), ok, want)
		}
		key, stray := keyOf(id, dayOf(want))
		if stray || key < 0 || idOf(dayOf(want), key) != id {
			t.Errorf("%s has key %d, which is of %s", id, key, idOf(dayOf(want), key))
		}
		if days := e.days(); days[0] != dayOf(want) {
			t.Errorf("%s is looked for on %v first, want %v", id, days[0], dayOf(want))
		}
		if key, stray := keyOf(id, dayOf(want)+2); !stray || key >= 0 {
			t.Errorf("%s has key %d two days later, want a negative one", id, key)
		}
	}
}

func TestOddIDsAreStrays(t *testing.T) {
	for _, id := range []string{"", "x", "1xVPM1-0008UQ-2", "1xVPM1-0008UQ-2f ", "1xVPM1_0008UQ-2f", "1xVPM1-zzzzzz-2f",
		"1xVPXa-zzzzzzzzzzz-1VWZ", "1xVPM\x00-0008UQ-2f", "1xVPM1-0008U\u00e9-2"} {
		if _, ok := parseID(id); ok {
			t.Errorf("%q is taken for one of Exim's", id)
		}
		if key, stray := keyOf(id, dayOf(noon)); !stray || key >= 0 {
			t.Errorf("%q has key %d, stray %v", id, key, stray)
		}
	}
}

// Every id that Exim can make on Linux comes back from its key, in each day that it is looked for in.
func TestKeysRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.Int64Range(0, longParts+62*62-1).Draw(t, "part")
		pid := rapid.Int64Range(1, 1<<pidBits-1).Draw(t, "pid")
		e := eximID{rapid.Int64Range(1e9, 4e9).Draw(t, "second"), pid<<partBits | part}
		if again, ok := parseID(e.String()); !ok || again != e {
			t.Fatalf("%s reads as %v, %v; want %v", e, again, ok, e)
		}
		days := e.days()
		if len(days) == 0 {
			t.Fatalf("%s is looked for nowhere", e)
		}
		for _, d := range days {
			if key, ok := e.keyIn(d); !ok || idOf(d, key) != e.String() {
				t.Fatalf("%s has key %d on %s, which is %s", e, key, d, idOf(d, key))
			}
		}
	})
}
