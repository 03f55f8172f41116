package chart

import (
	"html/template"
	"math"
	"strconv"

	"osm"
)

// drawing is a picture as shapes, before it is written as SVG or PNG.
type drawing struct {
	title  string
	height float64
	shapes []shape
}

type point struct{ x, y float64 }

// shape is one of: a rectangle (points are two corners), a line of some kind, or a text at a point.
type shape struct {
	kind   kind
	points []point
	colour int // index into the palette, of rectangles and curves
	anchor anchor
	text   string // that is written; of the others: what it tells
}

type kind uint8

const (
	area kind = iota
	curve
	grid   // a line in the background
	dashed // a level to compare with
	mark   // a moment
	text
	heading
)

type anchor uint8

const (
	start anchor = iota
	middle
	end
)

func (a anchor) String() string { return [...]string{"start", "middle", "end"}[a] }

func newDrawing(title string, height int) *drawing {
	d := &drawing{title: title, height: float64(height)}
	d.shapes = append(d.shapes, shape{kind: heading, points: []point{{0, 12}}, text: shorten(title, 60)})
	return d
}

func (d *drawing) rect(x, y, w, h float64, colour int, tells string) {
	d.shapes = append(d.shapes, shape{kind: area, points: []point{{x, y}, {x + w, y + h}}, colour: colour % len(palette), text: tells})
}

func (d *drawing) curve(colour int, tells string, points []point) {
	d.shapes = append(d.shapes, shape{kind: curve, points: points, colour: colour % len(palette), text: tells})
}

func (d *drawing) line(k kind, from, to point) {
	d.shapes = append(d.shapes, shape{kind: k, points: []point{from, to}})
}

func (d *drawing) label(x, y float64, a anchor, s string) {
	d.shapes = append(d.shapes, shape{kind: text, points: []point{{x, y}}, anchor: a, text: s})
}

// svg writes the drawing. A page may give the colours others by the classes c0, c1 and so on.
func (d *drawing) svg() template.HTML {
	p := picture{b: make([]byte, 0, 8<<10)}
	p.add(`<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 `).num(width).add(" ").num(d.height).
		add(`" width="`).num(width).add(`" role="img" font-family="sans-serif" font-size="11" fill="currentColor"><title>`).
		text(shorten(d.title, 200)).add(`</title>`)
	for i := range d.shapes {
		p.shape(&d.shapes[i])
	}
	return template.HTML(p.add("</svg>").b)
}

// picture is an SVG in the making.
type picture struct{ b []byte }

func (p *picture) shape(s *shape) {
	at := s.points
	switch s.kind {
	case area:
		p.add(`<rect class="c`).num(float64(s.colour)).add(`" x="`).num(at[0].x).add(`" y="`).num(at[0].y).
			add(`" width="`).num(at[1].x - at[0].x).add(`" height="`).num(at[1].y - at[0].y).
			add(`" fill="`).add(palette[s.colour]).add(`"`)
		p.tells("rect", s.text)
	case curve:
		p.add(`<path class="l`).num(float64(s.colour)).add(`" fill="none" stroke-width="1.5" stroke="`).add(palette[s.colour]).add(`"`).path(at)
		p.tells("path", s.text)
	case grid:
		p.add(`<path stroke="currentColor" stroke-opacity=".15"`).path(at).add("/>")
	case dashed:
		p.add(`<path stroke="currentColor" stroke-opacity=".7" stroke-dasharray="5 4"`).path(at).add("/>")
	case mark:
		p.add(`<path stroke="currentColor" stroke-opacity=".55"`).path(at).add("/>")
	case text, heading:
		p.add(`<text x="`).num(at[0].x).add(`" y="`).num(at[0].y).add(`"`)
		if s.kind == heading {
			p.add(` class="heading" font-weight="bold"`)
		} else {
			p.add(` text-anchor="`).add(s.anchor.String()).add(`"`)
		}
		p.add(`>`).text(s.text).add(`</text>`)
	}
}

// tells ends an element that a reader can ask for its meaning.
func (p *picture) tells(element, s string) {
	if s == "" {
		p.add(`/>`)
		return
	}
	p.add(`><title>`).text(shorten(s, 200)).add(`</title></`).add(element).add(`>`)
}

func (p *picture) path(points []point) *picture {
	p.add(` d="`)
	command := "M"
	for _, at := range points {
		p.add(command).num(at.x).add(" ").num(at.y)
		command = "L"
	}
	return p.add(`"`)
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
