// Package chart draws small pictures as SVG: sums over time and rankings, for reports, mails and pages alike. A picture
// needs no script, no style sheet and no font of its own, follows the page's text colour, and tells its numbers to
// whoever can't see it. What is drawn may be hostile: every text is escaped here. Choosing what to draw is left to others.
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
	Lines  bool // lines over each other; otherwise bars on top of each other
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

// SVG draws the picture.
func (t Time) SVG() template.HTML {
	t = t.coarse()
	p := picture{b: make([]byte, 0, 8<<10)}
	p.open(t.Title, height)
	p.legend(t.Series)
	steps := 0
	for _, s := range t.Series {
		steps = max(steps, len(s.Values))
	}
	highest := p.scale(t.highest(steps))
	p.dates(t, steps)
	if t.Lines {
		p.lines(t, steps, highest)
	} else {
		p.bars(t, steps, highest)
	}
	return p.close()
}

// coarse adds up neighbouring values until there are few enough to be seen; of lines it takes the highest.
func (t Time) coarse() Time {
	most := 0
	for _, s := range t.Series {
		most = max(most, len(s.Values))
	}
	n := max(1, (most+mostSteps-1)/mostSteps)
	t.Step *= time.Duration(n)
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

// picture is an SVG in the making.
type picture struct {
	b []byte
}

func (p *picture) open(title string, height int) {
	p.add(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 `).num(width).add(" ").num(float64(height)).
		add(`" width="100%" role="img" font-family="sans-serif" font-size="11" fill="currentColor" style="max-width:`).
		num(width).add(`px"><title>`).text(title).add(`</title><text x="0" y="12" font-weight="bold">`).text(title).add(`</text>`)
}

func (p *picture) close() template.HTML { return template.HTML(p.add("</svg>").b) }

// legend names the series, when there are several.
func (p *picture) legend(series []Series) {
	if len(series) < 2 {
		return
	}
	x := float64(width)
	for i := len(series) - 1; i >= 0; i-- {
		x -= 6.2*float64(min(utf8.RuneCountInString(series[i].Name), 24)) + 22
		p.rect(x, 4, 9, 9, colour(i), "")
		p.label(x+13, 12, "start", shorten(series[i].Name, 24))
	}
}

// scale draws the lines and numbers of the upright axis and tells the value at its top.
func (p *picture) scale(highest float64) float64 {
	step := round(highest / 4)
	lines := max(math.Ceil(highest/step), 1)
	for i := 0.0; i <= lines; i++ {
		y := top + plotH*(1-i/lines)
		p.add(`<path d="M`).num(left).add(" ").num(y).add("H").num(width - right).
			add(`" stroke="currentColor" stroke-opacity=".15"/>`)
		p.label(left-5, y+4, "end", short(i*step))
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
func (p *picture) dates(t Time, steps int) {
	layout := "15:04"
	if span := t.Step * time.Duration(steps); span > 36*time.Hour {
		layout = "Jan 2"
	}
	every := max(1, (steps+7)/8)
	last := ""
	for i := 0; i < steps; i += every {
		text := t.Start.Add(t.Step * time.Duration(i)).Format(layout)
		if text != last {
			p.label(left+plotW*float64(i)/float64(steps), height-6, "start", text)
		}
		last = text
	}
}

func (p *picture) bars(t Time, steps int, highest float64) {
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
			when := t.Start.Add(t.Step * time.Duration(i)).Format("Jan 2 15:04")
			p.rect(left+w*float64(i), y, max(w-1, w*0.6), h, colour(j), when+": "+short(v)+" "+s.Name)
		}
	}
}

func (p *picture) lines(t Time, steps int, highest float64) {
	w := float64(plotW) / float64(max(steps-1, 1))
	for j, s := range t.Series {
		p.add(`<path fill="none" stroke-width="1.5" stroke="`).add(colour(j)).add(`" d="`)
		for i, v := range s.Values {
			command := "L"
			if i == 0 {
				command = "M"
			}
			p.add(command).num(left + w*float64(i)).add(" ").num(top + plotH*(1-v/highest))
		}
		p.add(`"><title>`).text(s.Name).add(`</title></path>`)
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

// SVG draws the picture.
func (r Rank) SVG() template.HTML {
	p := picture{b: make([]byte, 0, 4<<10)}
	p.open(r.Title, top+rowHeight*len(r.Rows))
	highest := 0.0
	for _, row := range r.Rows {
		highest = max(highest, positive(row.Value))
	}
	for i, row := range r.Rows {
		y := float64(top + rowHeight*i)
		p.label(0, y+12, "start", shorten(row.Label, 40))
		long := 0.0
		if highest > 0 {
			long = (width - labelW - numbersW) * positive(row.Value) / highest
		}
		text := row.Text
		if text == "" {
			text = short(row.Value)
		}
		p.rect(labelW, y+2, max(long, 1), rowHeight-6, colour(0), row.Label+": "+text)
		p.label(labelW+long+6, y+12, "start", text)
	}
	return p.close()
}

func positive(v float64) float64 {
	if !(v > 0) || math.IsInf(v, 0) {
		return 0
	}
	return v
}

func colour(i int) string { return palette[i%len(palette)] }

func (p *picture) rect(x, y, w, h float64, colour, title string) {
	p.add(`<rect x="`).num(x).add(`" y="`).num(y).add(`" width="`).num(w).add(`" height="`).num(h).add(`" fill="`).add(colour)
	if title == "" {
		p.add(`"/>`)
		return
	}
	p.add(`"><title>`).text(title).add(`</title></rect>`)
}

func (p *picture) label(x, y float64, anchor, text string) {
	p.add(`<text x="`).num(x).add(`" y="`).num(y).add(`" text-anchor="`).add(anchor).add(`">`).text(text).add(`</text>`)
}

func (p *picture) add(markup string) *picture {
	p.b = append(p.b, markup...)
	return p
}

// num writes a measure, to a tenth.
func (p *picture) num(v float64) *picture {
	p.b = strconv.AppendFloat(p.b, math.Round(v*10)/10, 'f', -1, 64)
	return p
}

// text writes a hostile text.
func (p *picture) text(s string) *picture {
	return p.add(template.HTMLEscapeString(osm.Printable(s)))
}

// short writes a number in few characters: 950, 1.2k, 34k, 5M.
func short(v float64) string {
	for _, u := range [...]struct {
		unit float64
		name string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if v >= u.unit {
			digits := 0
			if v < 10*u.unit {
				digits = 1
			}
			return strings.TrimSuffix(strconv.FormatFloat(v/u.unit, 'f', digits, 64), ".0") + u.name
		}
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}

// shorten cuts a text to so many characters.
func shorten(s string, most int) string {
	s = osm.Printable(s)
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}
