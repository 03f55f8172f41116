// Package chart draws small pictures: sums over time, rankings and spans. A picture is described once and drawn as SVG
// for pages and reports, or as PNG for mail, whose readers mostly refuse SVG. It needs no script, no style sheet and no
// font of its own, follows the page's text colour, and tells its numbers to whoever can't see it. What is drawn may be
// hostile: every text is escaped here. Choosing what to draw is left to others.
package chart

import (
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"osm"
)

// Series is one row of values with its name.
type Series struct {
	Name   string
	Values []float64 // what is negative or no number counts as 0
}

// Time is a picture of values over time.
type Time struct {
	Title  string
	Start  time.Time // of the first value, in the zone in which times are to be shown
	Step   time.Duration
	Series []Series
	Lines  bool    // lines over each other; otherwise bars on top of each other
	Usual  float64 // a level to compare with, drawn as a dashed line; 0: none
	Label  string  // of Usual
	Marks  []Mark  // moments, drawn as upright lines
	Format Format
}

// Mark is a moment with its name.
type Mark struct {
	Time time.Time
	Text string
}

// Format is how a language writes times below a picture, as layouts of package time. The zero value is English.
type Format struct {
	Day     string // "Jan 2"
	Minute  string // "15:04"
	Moment  string // "Jan 2 15:04"
	Decimal string // ".", between 1 and 2 in 1.2k
}

func (f Format) full() Format {
	if f.Day == "" {
		return Format{Day: "Jan 2", Minute: "15:04", Moment: "Jan 2 15:04", Decimal: "."}
	}
	return f
}

// layout is how times are written below a picture of a span.
func (f Format) layout(span time.Duration) string {
	if span > 36*time.Hour {
		return f.Day
	}
	return f.Minute
}

// The picture's measures, in its own units. It scales to the width it is given.
const (
	width, height    = 720, 220
	left, right      = 46, 8
	top, bottom      = 30, 22
	plotW, plotH     = width - left - right, height - top - bottom
	mostSteps        = 180 // more values are added up
	rowHeight        = 20
	labelW, numbersW = 260, 70
)

// palette can be told apart by people who do not see all colours (Okabe and Ito).
var palette = [...]string{"#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#999999"}

// SVG draws the picture for a page.
func (t Time) SVG() template.HTML { return t.draw().svg() }

// PNG draws the picture for a mail.
func (t Time) PNG() ([]byte, error) { return t.draw().png() }

func (t Time) draw() *drawing {
	t = t.coarse()
	t.Format = t.Format.full()
	d := newDrawing(t.Title, height)
	d.legend(t)
	steps := 0
	for _, s := range t.Series {
		steps = max(steps, len(s.Values))
	}
	highest := d.scale(max(t.highest(steps), positive(t.Usual)), t.Format)
	d.dates(t, steps)
	if t.Lines {
		d.lines(t, steps, highest)
	} else {
		d.bars(t, steps, highest)
	}
	d.usual(t, highest)
	d.marks(t, steps)
	return d
}

// coarse adds up neighbouring values until there are few enough to be seen; of lines it takes the highest.
func (t Time) coarse() Time {
	most := 0
	for _, s := range t.Series {
		most = max(most, len(s.Values))
	}
	n := max(1, (most+mostSteps-1)/mostSteps)
	t.Step *= time.Duration(n)
	if !t.Lines {
		t.Usual *= float64(n)
	}
	all := make([]Series, len(t.Series))
	for i, s := range t.Series {
		all[i] = Series{Name: s.Name, Values: make([]float64, (len(s.Values)+n-1)/n)}
		for j, v := range s.Values {
			into := &all[i].Values[j/n]
			v = positive(v)
			if t.Lines {
				*into = max(*into, v)
			} else {
				*into += v
			}
		}
	}
	t.Series = all
	return t
}

func (t Time) highest(steps int) float64 {
	var highest float64
	for i := range steps {
		var sum float64
		for _, s := range t.Series {
			if v := at(s, i); t.Lines {
				sum = max(sum, v)
			} else {
				sum += v
			}
		}
		highest = max(highest, sum)
	}
	return highest
}

func at(s Series, i int) float64 {
	if i < len(s.Values) {
		return s.Values[i]
	}
	return 0
}

// legend names the series, when there are several, and the usual level.
func (d *drawing) legend(t Time) {
	x, y := float64(width), 4.0
	room := func(name string) string {
		name = shorten(name, 24)
		long := 6.2*float64(utf8.RuneCountInString(name)) + 22
		if x-long < 0 && y == 4 { // there is room for a second row
			x, y = width, y+13
		}
		x -= long
		return name
	}
	if positive(t.Usual) > 0 && t.Label != "" {
		x -= 8
		name := room(t.Label)
		d.line(dashed, point{x - 8, y + 4.5}, point{x + 9, y + 4.5})
		d.label(x+13, y+8, start, name)
		x -= 14
	}
	if len(t.Series) < 2 {
		return
	}
	for i := len(t.Series) - 1; i >= 0; i-- {
		name := room(t.Series[i].Name)
		d.rect(x, y, 9, 9, i, "")
		d.label(x+13, y+8, start, name)
	}
}

// scale draws the lines and numbers of the upright axis and tells the value at its top.
func (d *drawing) scale(highest float64, f Format) float64 {
	step := round(highest / 4)
	lines := max(math.Ceil(highest/step), 1)
	for i := 0.0; i <= lines; i++ {
		y := top + plotH*(1-i/lines)
		d.line(grid, point{left, y}, point{width - right, y})
		d.label(left-5, y+4, end, short(i*step, f))
	}
	return lines * step
}

// round is the next number of the form 1, 2 or 5 times a power of ten, and at least 1.
func round(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(max(v, 1))))
	for _, n := range [...]float64{1, 2, 5} {
		if v <= n*power {
			return n * power
		}
	}
	return 10 * power
}

// dates writes a few times below the plot.
func (d *drawing) dates(t Time, steps int) {
	layout := t.Format.layout(t.Step * time.Duration(steps))
	every := max(1, (steps+7)/8)
	last := ""
	for i := 0; i < steps; i += every {
		text := t.Start.Add(t.Step * time.Duration(i)).Format(layout)
		if text != last {
			d.label(left+plotW*float64(i)/float64(steps), height-6, start, text)
		}
		last = text
	}
}

func (d *drawing) bars(t Time, steps int, highest float64) {
	w := float64(plotW) / float64(max(steps, 1))
	for i := range steps {
		y := float64(top + plotH)
		for j, s := range t.Series {
			v := at(s, i)
			if v == 0 {
				continue
			}
			h := plotH * v / highest
			y -= h
			when := t.Start.Add(t.Step * time.Duration(i)).Format(t.Format.Moment)
			d.rect(left+w*float64(i), y, max(w-1, w*0.6), h, j, when+": "+short(v, t.Format)+" "+s.Name)
		}
	}
}

func (d *drawing) lines(t Time, steps int, highest float64) {
	w := float64(plotW) / float64(max(steps-1, 1))
	for j, s := range t.Series {
		points := make([]point, len(s.Values))
		for i, v := range s.Values {
			points[i] = point{left + w*float64(i), top + plotH*(1-v/highest)}
		}
		d.curve(j, s.Name, points)
	}
}

// usual draws the level that values are compared with.
func (d *drawing) usual(t Time, highest float64) {
	if v := positive(t.Usual); v > 0 {
		y := top + plotH*(1-v/highest)
		d.line(dashed, point{left, y}, point{width - right, y})
	}
}

// marks draws moments; one whose name has no room is left without.
func (d *drawing) marks(t Time, steps int) {
	span := t.Step * time.Duration(steps)
	free := 0.0
	for _, m := range t.Marks {
		at := m.Time.Sub(t.Start)
		if at < 0 || at > span || span <= 0 {
			continue
		}
		x := left + plotW*float64(at)/float64(span)
		d.line(mark, point{x, top - 2}, point{x, top + plotH})
		text := shorten(m.Text, 24)
		long := 6.2 * float64(utf8.RuneCountInString(text))
		switch {
		case x < free:
		case x+long+4 > width:
			d.label(x-3, top+7, end, text)
		default:
			d.label(x+3, top+7, start, text)
		}
		free = max(free, x+long+8)
	}
}

// Row is one line of a ranking.
type Row struct {
	Label string
	Value float64
	Text  string // shown at the bar's end; "" shows the value
}

// Rank is a picture of bars beside each other, longest first as they are given.
type Rank struct {
	Title string
	Rows  []Row
}

// SVG draws the picture for a page.
func (r Rank) SVG() template.HTML { return r.draw().svg() }

// PNG draws the picture for a mail.
func (r Rank) PNG() ([]byte, error) { return r.draw().png() }

func (r Rank) draw() *drawing {
	d := newDrawing(r.Title, top+rowHeight*len(r.Rows))
	highest := 0.0
	for _, row := range r.Rows {
		highest = max(highest, positive(row.Value))
	}
	for i, row := range r.Rows {
		y := float64(top + rowHeight*i)
		d.label(0, y+12, start, shorten(row.Label, 40))
		long := 0.0
		if highest > 0 {
			long = (width - labelW - numbersW) * positive(row.Value) / highest
		}
		text := row.Text
		if text == "" {
			text = short(row.Value, Format{}.full())
		}
		d.rect(labelW, y+2, max(long, 1), rowHeight-6, 0, row.Label+": "+text)
		d.label(labelW+long+6, y+12, start, text)
	}
	return d
}

// Spans is a picture of what was the case from when to when: one row for each thing.
type Spans struct {
	Title      string
	Start, End time.Time // of the picture, in the zone in which times are to be shown
	Rows       []SpanRow
	Format     Format
}

// SpanRow is one thing with the times at which it was the case.
type SpanRow struct {
	Label string
	Spans []Span
}

// Span is from when to when; a zero End is still the case.
type Span struct{ Start, End time.Time }

// SVG draws the picture for a page.
func (s Spans) SVG() template.HTML { return s.draw().svg() }

func (s Spans) draw() *drawing {
	f := s.Format.full()
	d := newDrawing(s.Title, top+rowHeight*len(s.Rows)+bottom)
	const plot = width - labelW - right
	whole := max(s.End.Sub(s.Start), 1)
	place := func(t time.Time) float64 {
		return labelW + plot*min(max(float64(t.Sub(s.Start))/float64(whole), 0), 1)
	}
	foot := float64(top + rowHeight*len(s.Rows))
	for i := range 5 {
		t := s.Start.Add(whole * time.Duration(i) / 4)
		d.line(grid, point{place(t), top - 6}, point{place(t), foot})
		d.label(place(t), foot+14, [...]anchor{start, middle, middle, middle, end}[i], t.Format(f.layout(whole)))
	}
	for i, row := range s.Rows {
		y := float64(top + rowHeight*i)
		d.label(0, y+12, start, shorten(row.Label, 40))
		for _, span := range row.Spans {
			until := span.End
			if until.IsZero() {
				until = s.End
			}
			from, to := place(span.Start), place(until)
			d.rect(from, y+2, max(to-from, 2), rowHeight-6, 3, row.Label+": "+span.Start.Format(f.Moment)+" – "+until.Format(f.Moment))
		}
	}
	return d
}

func positive(v float64) float64 {
	if !(v > 0) || math.IsInf(v, 0) {
		return 0
	}
	return v
}

// short writes a number in few characters: 950, 1.2k, 34k, 5M.
func short(v float64, f Format) string {
	text, unit := strconv.FormatFloat(v, 'f', -1, 64), ""
	for _, u := range [...]struct {
		unit float64
		name string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if v >= u.unit {
			digits := 0
			if v < 10*u.unit {
				digits = 1
			}
			text, unit = strings.TrimSuffix(strconv.FormatFloat(v/u.unit, 'f', digits, 64), ".0"), u.name
			break
		}
	}
	return strings.Replace(text, ".", f.Decimal, 1) + unit
}

// shorten cuts a text to so many characters.
func shorten(s string, most int) string {
	if len(s) > 4*most {
		s = strings.ToValidUTF8(s[:4*most], "")
	}
	s = osm.Printable(s)
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}
