package chart

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"

	"osm"
)

// A PNG has twice as many dots as the picture has units, so that it is sharp on screens with fine dots; a mail shows it
// at the picture's own width.
const (
	dots     = 2
	fontSize = 11
)

// Width is what a mail or a page shows a picture at, in its own units.
const Width = width

var (
	paper = color.RGBA{0xff, 0xff, 0xff, 0xff}
	ink   = color.RGBA{0x22, 0x2b, 0x33, 0xff}
)

// raster is a PNG in the making.
type raster struct {
	*image.RGBA
	regular, bold font.Face
}

func (d *drawing) png() ([]byte, error) {
	r := raster{RGBA: image.NewRGBA(image.Rect(0, 0, width*dots, int(d.height)*dots))}
	draw.Draw(r, r.Bounds(), image.NewUniform(paper), image.Point{}, draw.Src)
	var err error
	if r.regular, err = face(goregular.TTF); err != nil {
		return nil, err
	}
	if r.bold, err = face(gobold.TTF); err != nil {
		return nil, err
	}
	for i := range d.shapes {
		r.shape(&d.shapes[i])
	}
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&b, r.RGBA); err != nil {
		return nil, fmt.Errorf("write a picture as PNG: %w", err)
	}
	return b.Bytes(), nil
}

func face(ttf []byte) (font.Face, error) {
	parsed, err := opentype.Parse(ttf)
	if err != nil {
		return nil, fmt.Errorf("read a font: %w", err)
	}
	return opentype.NewFace(parsed, &opentype.FaceOptions{Size: fontSize * dots, DPI: 72, Hinting: font.HintingFull})
}

func (r *raster) shape(s *shape) {
	at := s.points
	switch s.kind {
	case area:
		r.fill(of(palette[s.colour]), at[0], point{at[1].x, at[0].y}, at[1], point{at[0].x, at[1].y})
	case curve:
		for i := 1; i < len(at); i++ {
			r.stroke(of(palette[s.colour]), 1.5, at[i-1], at[i])
		}
	case grid:
		r.stroke(faint(0x26), 1, at[0], at[1])
	case dashed:
		const dash, gap = 5.0, 4.0
		for x := at[0].x; x < at[1].x; x += dash + gap {
			r.stroke(faint(0xb3), 1, point{x, at[0].y}, point{min(x+dash, at[1].x), at[0].y})
		}
	case mark:
		r.stroke(faint(0x8c), 1, at[0], at[1])
	case text, heading:
		r.write(s)
	}
}

// fill paints a polygon with smooth edges.
func (r *raster) fill(c color.Color, corners ...point) {
	low, high := corners[0], corners[0]
	for _, p := range corners {
		low, high = point{min(low.x, p.x), min(low.y, p.y)}, point{max(high.x, p.x), max(high.y, p.y)}
	}
	x, y := math.Floor(low.x*dots), math.Floor(low.y*dots)
	box := image.Rect(int(x), int(y), int(math.Ceil(high.x*dots)), int(math.Ceil(high.y*dots)))
	v := vector.NewRasterizer(box.Dx(), box.Dy())
	for i, p := range corners {
		if i == 0 {
			v.MoveTo(float32(p.x*dots-x), float32(p.y*dots-y))
		} else {
			v.LineTo(float32(p.x*dots-x), float32(p.y*dots-y))
		}
	}
	v.ClosePath()
	v.Draw(r, box, image.NewUniform(c), image.Point{})
}

// stroke paints a line as the thin rectangle around it.
func (r *raster) stroke(c color.Color, thick float64, from, to point) {
	long := math.Hypot(to.x-from.x, to.y-from.y)
	if long == 0 {
		return
	}
	x, y := -(to.y-from.y)/long*thick/2, (to.x-from.x)/long*thick/2
	r.fill(c, point{from.x + x, from.y + y}, point{to.x + x, to.y + y}, point{to.x - x, to.y - y}, point{from.x - x, from.y - y})
}

func (r *raster) write(s *shape) {
	pen := font.Drawer{Dst: r, Src: image.NewUniform(ink), Face: r.regular}
	if s.kind == heading {
		pen.Face = r.bold
	}
	words := osm.Printable(s.text)
	pen.Dot = fixed.Point26_6{X: fixed.Int26_6(s.points[0].x * dots * 64), Y: fixed.Int26_6(s.points[0].y * dots * 64)}
	switch long := pen.MeasureString(words); s.anchor {
	case end:
		pen.Dot.X -= long
	case middle:
		pen.Dot.X -= long / 2
	}
	pen.DrawString(words)
}

// faint is ink, seen through to some degree.
func faint(alpha uint8) color.Color {
	return color.NRGBA{ink.R, ink.G, ink.B, alpha}
}

// of reads a colour of the palette.
func of(hex string) color.Color {
	digit := func(i int) uint8 {
		c := hex[i]
		if c >= 'a' {
			return c - 'a' + 10
		}
		return c - '0'
	}
	return color.NRGBA{digit(1)<<4 | digit(2), digit(3)<<4 | digit(4), digit(5)<<4 | digit(6), 0xff}
}
