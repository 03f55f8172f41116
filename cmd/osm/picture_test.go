package main

import (
	"bytes"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"charm.land/lipgloss/v2"

	"osm"
	"osm/lab"
)

// drawn is a picture on paper, with a clock of its own.
func drawn() (*picture, *bytes.Buffer, *time.Time) {
	var out bytes.Buffer
	clock := time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC)
	return newPicture(&out, func() time.Time { return clock }), &out, &clock
}

func letterOf(id string, recipients ...string) *osm.Message {
	return &osm.Message{ID: id, Time: time.Date(2026, 11, 23, 14, 0, 0, 0, time.UTC), Class: osm.Login, Login: "alice@osm.test",
		Client: netip.MustParseAddr("203.0.113.7"), Country: "DE", Sender: "alice@osm.test", Recipients: recipients,
		HasSubject: true, Subject: "hello"}
}

// last is the last line on the paper.
func last(out *bytes.Buffer) string {
	lines := strings.Split(strings.TrimRight(out.String(), "\n"), "\n")
	return lines[len(lines)-1]
}

func TestPictureResults(t *testing.T) {
	delivered := osm.Delivery{Outcome: osm.Delivered, Remote: true}
	unknown := osm.Delivery{Outcome: osm.Failed, Refusal: osm.NoSuchUser}
	grey := osm.Delivery{Outcome: osm.Deferred, Refusal: osm.Greylisted}
	for name, c := range map[string]struct {
		recipients []string
		deliveries []osm.Delivery
		want       string
	}{
		"delivered":  {[]string{"a@b.c"}, []osm.Delivery{delivered}, "delivered"},
		"here":       {[]string{"a@b.c"}, []osm.Delivery{{Outcome: osm.Delivered}}, "delivered here"},
		"failed":     {[]string{"a@b.c"}, []osm.Delivery{unknown}, "no-such-user"},
		"mixed":      {[]string{"a@b.c", "d@b.c", "e@b.c"}, []osm.Delivery{delivered, unknown, delivered}, "2 delivered, 1 no-such-user"},
		"greylisted": {[]string{"a@b.c"}, []osm.Delivery{grey}, "later: greylisted"},
		"at last":    {[]string{"a@b.c"}, []osm.Delivery{grey, delivered}, "delivered"},
		"unlogged":   {nil, []osm.Delivery{delivered}, "delivered"},
	} {
		p, out, _ := drawn()
		m := letterOf("1xVUX1-00000E-0j", c.recipients...)
		p.arrival(m)
		if !p.waiting() {
			t.Errorf("%s: the picture does not wait for the result", name)
		}
		for i := range c.deliveries {
			p.delivery(m, &c.deliveries[i])
		}
		if !strings.HasSuffix(last(out), " "+c.want) || !strings.Contains(last(out), "203.0.113.7 DE") {
			t.Errorf("%s: the last line is %q, want it to end in %q", name, last(out), c.want)
		}
		if p.waiting() {
			t.Errorf("%s: the picture waits on", name)
		}
	}
}

// TestPictureImpatient shows a message that gets no result.
func TestPictureImpatient(t *testing.T) {
	p, out, clock := drawn()
	p.arrival(letterOf("1xVUX1-00000E-0j", "a@b.c"))
	p.draw()
	if strings.Contains(out.String(), "alice") {
		t.Errorf("shown at once: %q", out)
	}
	*clock = clock.Add(patience + time.Second)
	p.draw()
	if !strings.HasSuffix(last(out), " in the queue") {
		t.Errorf("the last line is %q", last(out))
	}
	*clock = clock.Add(memory)
	if p.draw(); len(p.rows) != 0 {
		t.Errorf("%d messages are remembered for ever", len(p.rows))
	}
}

// TestPictureHostile shows that nothing from a message reaches the terminal but its text.
func TestPictureHostile(t *testing.T) {
	p, out, _ := drawn()
	m := letterOf("1xVUX1-00000E-0j", "a\x1b]0;x\x07@b.c")
	m.Login, m.Subject = "eve\n14:00:00 login", "\x1b[2J\u202egnp.exe "+strings.Repeat("wide 好", 100)
	m.Script.Path = "/home/eve/a\r\nb/" + strings.Repeat("好", 100)
	m.Verdict = osm.Verdict{Action: osm.Hold, Reason: "re\x1bason", Passive: true}
	p.arrival(m)
	p.delivery(m, &osm.Delivery{Outcome: osm.Failed})
	p.sent(&lab.Letter{Sender: "x\x1b[31m@y"}, errors.New("550 \x1b[0m"))
	if text := out.String(); strings.ContainsAny(text, "\x1b\r\x07\u202e") || strings.Count(text, "\n") != 3 {
		t.Errorf("drawn: %q", text)
	}
	for line := range strings.Lines(out.String()) {
		if lipgloss.Width(line) > pipeLine {
			t.Errorf("%d cells: %q", lipgloss.Width(line), line)
		}
	}
}

// TestPictureNarrow: a terminal of 100 cells shows what matters most, whole.
func TestPictureNarrow(t *testing.T) {
	cells := []string{"14:00:00", "localhost", "alice@osm.test", "203.0.113.7 DE", "1", "a@b.c", "hello",
		"would reject: new-recipients"}
	for width, want := range map[int]bool{100: false, 160: true} {
		line := newLayout(width).line(cells)
		if strings.Contains(line, "hello") != want || lipgloss.Width(line) > width || !strings.HasSuffix(line, cells[7]) {
			t.Errorf("on %d cells: %q", width, line)
		}
	}
}

// TestPictureTruth compares what osm said with what is true.
func TestPictureTruth(t *testing.T) {
	p, out, _ := drawn()
	spam := func(id string, action osm.Action) {
		m := letterOf(id, "a@b.c", "d@b.c")
		m.Login, m.Client = lab.StolenLogin, netip.MustParseAddr("198.18.7.9")
		m.Verdict = osm.Verdict{Action: action, Reason: "new-recipients", Passive: true}
		p.arrival(m)
	}
	p.arrival(letterOf("1xVUX1-000001-0j", "a@b.c"))
	spam("1xVUX1-000002-0j", osm.Accept)
	spam("1xVUX1-000003-0j", osm.Hold)
	spam("1xVUX1-000004-0j", osm.Hold)
	own := letterOf("1xVUX1-000005-0j", "a@b.c")
	own.Login = lab.StolenLogin
	own.Verdict = osm.Verdict{Action: osm.Hold, Passive: true}
	p.arrival(own)
	p.end()
	for _, want := range []string{"has been stolen", "5 messages, 3 of them spam",
		"its owner      1 messages to 1 recipients: would have held 1, refused 0, let through 0 to 0",
		"stolen login   3 messages to 6 recipients: would have held 2, refused 0, let through 1 to 2",
		"wanted mail    1 messages to 1 recipients: none of them would have been stopped"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, out)
		}
	}
}
