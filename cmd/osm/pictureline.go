package main

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"osm"
	"osm/web"
)

// layout is the widths of the columns of the demo's lines.
type layout struct {
	width  int
	widths []int
}

// Columns of a message's line: a fixed width, or a share of what the fixed ones leave.
var lineColumns = [...]struct {
	head         string
	fixed, share int
	wide         bool // only where there is room
}{
	{"time", 8, 0, false}, {"class", 9, 0, false}, {"who", 0, 16, false}, {"from", 0, 18, false}, {"to", 3, 0, false},
	{"first recipient", 0, 19, true}, {"subject", 0, 18, true}, {"result", 0, 29, false},
}

const (
	columnGap = 2
	leastLine = 100 // cells; narrower terminals wrap
	wideLine  = 130
	pipeLine  = 160
)

func newLayout(width int) layout {
	if width == 0 {
		width = pipeLine
	}
	width = max(width, leastLine)
	rest, shares := width+columnGap, 0
	for _, c := range lineColumns {
		if !c.wide || width >= wideLine {
			rest -= c.fixed + columnGap
			shares += c.share
		}
	}
	l := layout{width: width}
	for _, c := range lineColumns {
		cells := 0
		if !c.wide || width >= wideLine {
			cells = c.fixed + rest*c.share/shares
		}
		l.widths = append(l.widths, cells)
	}
	return l
}

func heads() []string {
	var names []string
	for _, c := range lineColumns {
		names = append(names, c.head)
	}
	return names
}

// line is plain cells in their columns.
func (l layout) line(cells []string) string {
	return l.styled(cells, lipgloss.NewStyle(), lipgloss.NewStyle())
}

// styled is a line whose class and result have a style of their own.
func (l layout) styled(cells []string, class, result lipgloss.Style) string {
	var b strings.Builder
	for i, cell := range cells {
		if l.widths[i] == 0 {
			continue
		}
		cell = cut(cell, l.widths[i])
		pad := strings.Repeat(" ", l.widths[i]-lipgloss.Width(cell)+columnGap)
		switch i {
		case 1:
			cell = class.Render(cell)
		case len(cells) - 1:
			cell, pad = result.Render(cell), ""
		}
		b.WriteString(cell + pad)
	}
	return b.String()
}

// describe is a message in cells, all but its result. What strangers wrote is made printable.
func (l layout) describe(m *osm.Message) []string {
	first, subject := "", m.Subject
	if len(m.Recipients) > 0 {
		first = m.Recipients[0]
	}
	if !m.HasSubject {
		subject = "(not logged)"
	}
	cells := []string{m.Time.Local().Format(time.TimeOnly), m.Class.String(), who(m), from(m), strconv.Itoa(len(m.Recipients)),
		first, subject}
	for i, c := range cells {
		cells[i] = osm.Printable(c)
	}
	if m.Script.Path != "" && m.Parent == "" {
		cells[3] = cutStart(cells[3], l.widths[3]) // the end of a path tells more
	}
	return cells
}

// who is the one that the message is charged to.
func who(m *osm.Message) string {
	if m.Sender == "" {
		return "<>"
	}
	return cmp.Or(m.Login, m.User, m.Sender)
}

// from is where it came in: a script's folder, or an address and its country. A bounce tells what it is about.
func from(m *osm.Message) string {
	if m.Parent != "" {
		return "about " + m.Parent
	}
	return cmp.Or(m.Script.Path, strings.TrimSpace(web.Address(m.Client)+" "+m.Country), "this server")
}

// cutStart shortens a printable text to so many cells and keeps its end.
func cutStart(s string, width int) string {
	if lipgloss.Width(s) <= width {
		return s
	}
	for i := range s {
		if lipgloss.Width(s[i:]) < width {
			return "…" + s[i:]
		}
	}
	return ""
}

// result is what became of a message, in words, and the style that tells it at a glance.
func (r *row) result() (string, lipgloss.Style) {
	var parts []string
	style := colour(green)
	say := func(n int, what string) {
		switch {
		case n == 0:
		case len(r.message.Recipients) > 1:
			parts = append(parts, fmt.Sprintf("%d %s", n, what))
		default:
			parts = append(parts, what)
		}
	}
	if v := &r.message.Verdict; r.stopped() {
		style = colour(red).Bold(true)
		switch {
		case r.delivered > 0:
			return "released: delivered", colour(green)
		case r.failed > 0:
			return "released: " + cmp.Or(r.refusal.String(), "failed"), colour(red)
		}
		return osm.Printable(did[v.Action] + " " + v.ID + ": " + v.Reason), style
	} else if v.Action != osm.Accept {
		parts = append(parts, osm.Printable("would "+v.Action.String()+": "+v.Reason))
		style = colour(red).Bold(true)
	} else if r.failed > 0 {
		style = colour(red)
	} else if r.open() > 0 {
		style = colour(yellow)
	}
	if r.remote {
		say(r.delivered, "delivered")
	} else {
		say(r.delivered, "delivered here")
	}
	say(r.failed, cmp.Or(r.refusal.String(), "failed"))
	if r.deferred > 0 {
		say(r.open(), "later: "+cmp.Or(r.refusal.String(), "deferred"))
	} else {
		say(r.open(), "in the queue")
	}
	return strings.Join(parts, ", "), style
}

// did says what Exim did with a message that was stopped.
var did = map[osm.Action]string{osm.Hold: "HELD", osm.Reject: "REFUSED", osm.Defer: "DEFERRED", osm.Discard: "DISCARDED"}

// Colours of the terminal's own palette.
const (
	red    = "1"
	green  = "2"
	yellow = "3"
	blue   = "4"
	purple = "5"
	cyan   = "6"
	grey   = "8"
)

func colour(name string) lipgloss.Style { return lipgloss.NewStyle().Foreground(lipgloss.Color(name)) }

// classColours tell the ways of sending apart at a glance.
var classColours = map[osm.Class]string{osm.Login: cyan, osm.Local: purple, osm.Localhost: yellow, osm.Relay: yellow,
	osm.Forward: blue, osm.List: blue, osm.Inbound: grey, osm.Bounce: grey, osm.System: grey}
