package chart

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/color"
	"image/png"
	"io"
	"math"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// parse reads a picture as XML and returns its texts and the number of each element.
func parse(t *testing.T, svg string) (texts []string, elements map[string]int) {
	t.Helper()
	elements = make(map[string]int)
	d := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return texts, elements
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
		switch token := token.(type) {
		case xml.CharData:
			texts = append(texts, string(token))
		case xml.StartElement:
			elements[token.Name.Local]++
			for _, a := range token.Attr {
				if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") || strings.Contains(a.Value, "e+") {
					t.Errorf("<%s %s=%q>", token.Name.Local, a.Name.Local, a.Value)
				}
			}
		}
	}
}

func hours(n int) Time {
	good, bad := make([]float64, n), make([]float64, n)
	for i := range n {
		good[i], bad[i] = float64(100+i%24), float64(i%7)
	}
	return Time{Title: "Recipients by hour", Start: noon, Step: time.Hour,
		Series: []Series{{"delivered", good}, {"failed", bad}}}
}

func TestTime(t *testing.T) {
	texts, elements := parse(t, string(hours(24).SVG()))
	all := strings.Join(texts, "|")
	for _, want := range []string{"Recipients by hour", "delivered", "failed", "12:00", "Nov 23 13:00: 101 delivered", "|150|"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not in the picture: %s", want, all)
		}
	}
	if bars := elements["rect"]; bars != 2+24+24-4 { // legend, both series, hours without a failure
		t.Errorf("%d rectangles", bars)
	}
}

func TestManyValuesAreAddedUp(t *testing.T) {
	month := hours(720)
	texts, elements := parse(t, string(month.SVG()))
	if bars := elements["rect"]; bars > 2*mostSteps+2 {
		t.Errorf("%d bars", bars)
	}
	var before, after float64
	for _, v := range month.Series[0].Values {
		before += v
	}
	for _, v := range month.coarse().Series[0].Values {
		after += v
	}
	if before != after {
		t.Errorf("the sum was %v and is %v", before, after)
	}
	if all := strings.Join(texts, "|"); !strings.Contains(all, "Dec 2") {
		t.Errorf("no dates: %s", all)
	}
}

func TestLines(t *testing.T) {
	lines := hours(24)
	lines.Lines = true
	svg := string(lines.SVG())
	_, elements := parse(t, svg)
	if elements["rect"] != 2 || !strings.Contains(svg, "delivered</title></path>") {
		t.Errorf("not lines:\n%s", svg)
	}
}

func TestRank(t *testing.T) {
	svg := string(Rank{Title: "Top logins", Rows: []Row{{"alice", 2000, ""}, {"bob", 10, "ten"}, {"carol", -1, ""}}}.SVG())
	texts, elements := parse(t, svg)
	all := strings.Join(texts, "|")
	for _, want := range []string{"alice", "alice: 2k", "bob: ten"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not in the picture: %s", want, all)
		}
	}
	if elements["rect"] != 3 || !strings.Contains(svg, `width="390"`) {
		t.Errorf("the longest bar is not as long as it can be:\n%s", svg)
	}
}

func TestHostileAndEmpty(t *testing.T) {
	evil := "</text><script>alert(1)</script>\"'\x00\x1b\u202e\xff" + strings.Repeat("long", 100)
	nan := []float64{math.NaN(), math.Inf(1), -5, 0, 3}
	for name, svg := range map[string]string{
		"time":      string(Time{Title: evil, Start: noon, Step: time.Hour, Series: []Series{{evil, nan}, {evil, nan}}}.SVG()),
		"lines":     string(Time{Title: evil, Series: []Series{{evil, nan}, {"", nil}}, Lines: true}.SVG()),
		"rank":      string(Rank{Title: evil, Rows: []Row{{evil, math.NaN(), evil}, {evil, math.Inf(1), ""}}}.SVG()),
		"nothing":   string(Time{}.SVG()),
		"no values": string(Time{Series: []Series{{}}}.SVG()),
		"no rows":   string(Rank{}.SVG()),
		"spans":     string(Spans{Title: evil, Start: noon, End: noon, Rows: []SpanRow{{evil, []Span{{noon, time.Time{}}, {}}}}}.SVG()),
		"marks":     string(Time{Title: evil, Start: noon, Step: time.Hour, Usual: math.NaN(), Label: evil, Marks: []Mark{{noon, evil}}, Series: []Series{{evil, nan}}}.SVG()),
		"zeros":     string(Time{Step: time.Hour, Series: []Series{{"x", make([]float64, 5)}}}.SVG()),
	} {
		_, elements := parse(t, svg)
		if elements["script"] > 0 || strings.ContainsAny(svg, "\x00\x1b\u202e") {
			t.Errorf("%s: hostile text got through:\n%s", name, svg)
		}
	}
}

func TestShort(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 7: "7", 999: "999", 1000: "1k", 1250: "1.2k", 34_000: "34k", 5e6: "5M", 2.5: "2.5"} {
		if got := short(v, Format{}.full()); got != want {
			t.Errorf("short(%v) = %s, want %s", v, got, want)
		}
	}
}

// TestPNG reads a mail's picture back: what is in the description is on the paper, in the same colours as in the SVG.
func TestPNG(t *testing.T) {
	count := func(b []byte, err error) map[color.Color]int {
		if err != nil {
			t.Fatal(err)
		}
		img, err := png.Decode(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if long := img.Bounds().Dx(); long != width*dots || len(b) > 60<<10 {
			t.Errorf("%d dots wide, %d bytes", long, len(b))
		}
		found := map[color.Color]int{}
		for y := range img.Bounds().Dy() {
			for x := range img.Bounds().Dx() {
				found[color.NRGBAModel.Convert(img.At(x, y))]++
			}
		}
		return found
	}
	day := hours(24)
	day.Usual, day.Label, day.Marks = 50, "usual", []Mark{{noon.Add(6 * time.Hour), "stopped"}}
	with := count(day.PNG())
	day.Series = day.Series[:1]
	without := count(day.PNG())
	first, second := of(palette[0]), of(palette[1])
	if with[first] < 10_000 || with[second] < 100 || without[second] != 0 {
		t.Errorf("%d dots of the first and %d of the second series, %d of the second without it", with[first], with[second], without[second])
	}
	ranked := count(Rank{Title: "Top", Rows: []Row{{"alice", 10, ""}, {"bob", 5, ""}}}.PNG())
	half := float64((rowHeight-6)*(width-labelW-numbersW)*dots*dots) * 1.5
	if got := float64(ranked[first]); got < half*0.98 || got > half*1.02 {
		t.Errorf("the bars have %.0f dots, want about %.0f", got, half)
	}
	count(Time{Title: "\x00</text>", Series: []Series{{"x", []float64{math.NaN()}}}}.PNG())
}

func TestMarksAndUsual(t *testing.T) {
	day := hours(24)
	day.Usual, day.Label = 400, "usual at most"
	day.Marks = []Mark{{noon.Add(time.Hour), "found"}, {noon.Add(90 * time.Minute), "too near"}, {noon.Add(23 * time.Hour), "stopped"}, {noon.Add(-time.Hour), "before"}}
	texts, _ := parse(t, string(day.SVG()))
	all := strings.Join(texts, "|")
	for text, want := range map[string]bool{"usual at most": true, "400": true, "found": true, "too near": false, "stopped": true, "before": false} {
		if strings.Contains(all, "|"+text+"|") != want && strings.HasSuffix(all, "|"+text) != want {
			t.Errorf("%q is in the picture: %v, want %v\n%s", text, !want, want, all)
		}
	}
}

func TestSpans(t *testing.T) {
	svg := string(Spans{Title: "Listed", Start: noon, End: noon.Add(4 * time.Hour),
		Rows: []SpanRow{{"zen", []Span{{noon.Add(time.Hour), noon.Add(2 * time.Hour)}, {noon.Add(3 * time.Hour), time.Time{}}}}, {"never", nil}}}.SVG())
	texts, elements := parse(t, svg)
	if elements["rect"] != 2 || !strings.Contains(svg, `x="373" y="32" width="113"`) || !strings.Contains(svg, `x="599" y="32" width="113"`) {
		t.Errorf("not the spans:\n%s", svg)
	}
	if all := strings.Join(texts, "|"); !strings.Contains(all, "zen: Nov 23 13:00 – Nov 23 14:00") {
		t.Error(all)
	}
}

// TestPolicy: a page with a strict Content-Security-Policy shows the picture as it is.
func TestPolicy(t *testing.T) {
	for _, svg := range []string{string(hours(24).SVG()), string(Rank{Rows: []Row{{"a", 1, ""}}}.SVG()), string(Spans{End: noon}.SVG())} {
		if strings.Contains(svg, "style=") || strings.Contains(svg, "<style") {
			t.Error("a style of its own is forbidden:\n" + svg)
		}
	}
}

func BenchmarkPNG(b *testing.B) {
	picture := hours(168)
	for b.Loop() {
		if _, err := picture.PNG(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTime(b *testing.B) {
	picture := hours(168)
	for b.Loop() {
		picture.SVG()
	}
}
