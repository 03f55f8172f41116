package web

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"osm"
)

// Whoever stops reading holds up neither the engine nor other viewers, and what is kept for him does not grow.
func TestStuckViewer(t *testing.T) {
	feed := NewFeed()
	p := newPlace(t, func(o *Options) { o.Feed = feed })
	admin := p.signedIn("admin")
	watch := func() *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.http.URL+livePath, nil)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := admin.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	stuck, reading := watch(), watch()
	defer stuck.Body.Close()
	defer reading.Body.Close()
	m := &osm.Message{Time: p.at, ID: "1vN4Qw-00000000A00-0000", Subject: strings.Repeat("s", 100_000), HasSubject: true,
		Verdict: osm.Verdict{ID: "V1", Action: osm.Hold, Rule: "herd"}}
	lines := bufio.NewReader(reading.Body)
	for n := range 10 * frames { // about 10 MB: no socket takes that much
		for range 2 * mostEvents {
			feed.Arrival(m)
		}
		feed.Tick(n, 0, false)
		for want := fmt.Sprintf(`"counts":[%d,`, n); ; {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatalf("frame %d: %v", n, err)
			}
			if strings.Contains(line, want) {
				break
			}
		}
	}
	if n := len(feed.waiting); n != 0 || len(feed.ring) != frames {
		t.Errorf("%d messages wait, %d frames are kept", n, len(feed.ring))
	}
	_, missed, _ := feed.after(seen{1, 2 * mostEvents})
	if want := (10*frames - frames - 1) * 2 * mostEvents; missed < want {
		t.Errorf("who has seen one frame is told of %d missed messages, want at least %d", missed, want)
	}
}
