package check

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"osm"
)

// reader makes checks that read content, and a way to show them one.
func reader(t *testing.T, deadline time.Duration) (c *Checks, look func(text string) osm.Opinions) {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Content.Enabled, cfg.Content.Extensions, cfg.Content.OnFailure = true, []string{"exe"}, osm.Defer
	cfg.Content.Deadline, cfg.Content.Limit = osm.Duration(deadline), mostShown
	c = New(cfg, Options{Now: time.Now})
	return c, func(text string) (o osm.Opinions) {
		c.Look(t.Context(), &Request{Stage: AtData, Message: submission(), Content: []byte(text), Whole: true}, &o)
		return o
	}
}

const run = "Content-Type: application/octet-stream; name=run.exe\r\n\r\nMZ"

// TestReadingWaitsForItsPlace, but not for longer than its deadline.
func TestReadingWaitsForItsPlace(t *testing.T) {
	c, look := reader(t, 30*time.Millisecond)
	for range cap(c.places) {
		c.places <- struct{}{}
	}
	if o := look(run); !slices.Equal(o.Failed, []string{"content"}) || o.Verdict.Action != osm.Defer || len(o.Extensions) > 0 {
		t.Errorf("while others are read: %+v", o)
	}
	c.cfg.Content.Deadline = osm.Duration(patience)
	<-c.places
	if o := look(run); len(o.Failed) > 0 || o.Verdict.Reason != "attachment" {
		t.Errorf("after them: %+v", o)
	}
}

// TestFactsWithoutTheCheck: what other checks want content for tells rules whether it could be read.
func TestFactsWithoutTheCheck(t *testing.T) {
	c, look := reader(t, 30*time.Millisecond)
	c.table = nil
	if o := look(run); !slices.Equal(o.Extensions, []string{"exe"}) || len(o.Failed) > 0 {
		t.Errorf("%+v", o)
	}
	for range cap(c.places) {
		c.places <- struct{}{}
	}
	if o := look(run); !slices.Equal(o.Failed, []string{"content"}) {
		t.Errorf("%+v", o)
	}
}

// TestListsWithoutLinks: what lists say of the client counts, whatever becomes of the content.
func TestListsWithoutLinks(t *testing.T) {
	b := newBench(t, func(c *Config) {
		withLists(osm.Reject, ListConfig{Zone: "bl.example", Of: []string{OfClient, OfLink}})(c)
		c.DNSBL.OnFailure, c.Content.Deadline = osm.Hold, osm.Duration(30*time.Millisecond)
	})
	b.zone.lists("9.2.0.192.bl.example", "127.0.0.2")
	for range cap(b.places) {
		b.places <- struct{}{}
	}
	for client, want := range map[string]osm.Action{"192.0.2.9": osm.Reject, "192.0.2.8": osm.Hold} {
		o := b.at(&Request{Stage: AtData, Message: from(client), Content: []byte("\r\nhttp://link.example"), Whole: true})
		if o.Verdict.Action != want || !slices.Equal(o.Failed, []string{"dnsbl", "content"}) {
			t.Errorf("%s: %+v", client, o)
		}
	}
}

// TestHugeMessageIsGivenUp: it takes seconds to read to its end, and nobody waits for that.
func TestHugeMessageIsGivenUp(t *testing.T) {
	var text strings.Builder
	for i := range maxDepth {
		fmt.Fprintf(&text, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	text.WriteString("\r\n" + strings.Repeat("\r\n-", int(mostShown)/3))
	c, look := reader(t, 10*time.Millisecond)
	if o := look(text.String()); !slices.Equal(o.Failed, []string{"content"}) || o.Verdict.Action != osm.Defer {
		t.Errorf("%+v", o)
	}
	for range cap(c.places) { // it has left its place
		c.places <- struct{}{}
	}
}

// unending is a message that has no end; it closes over when some of it has been read.
type unending struct {
	left int
	over chan struct{}
}

func (e *unending) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = "http://a.example \r\n"[(e.left+i)%19]
	}
	if e.left -= len(b); e.left < 0 && !isOver(e.over) {
		close(e.over)
	}
	return len(b), nil
}

func TestReadingStops(t *testing.T) {
	for _, head := range []string{"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\n", "Content-Type: a/b\r\n\r\n", "\r\n"} {
		e := &unending{left: 8 << 20, over: make(chan struct{})}
		w := walker{room: maxText, over: e.over}
		w.message(stoppable{io.MultiReader(strings.NewReader(head), e), e.over}, 0) // a test that hangs would be the failure
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := readContent([]byte(run), ctx.Done()); len(got.attachments) > 0 {
		t.Errorf("%+v", got)
	}
}

// BenchmarkReadContent is the worst that 4 MB can be: boundaries that might be, in twenty layers; hosts of the strangest letters.
func BenchmarkReadContent(b *testing.B) {
	var layers, letters strings.Builder
	for i := range maxDepth {
		fmt.Fprintf(&layers, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	layers.WriteString("\r\n" + strings.Repeat("\r\n-", 4<<20/3))
	for i := range rune(300) {
		letters.WriteRune('ࠀ' + 7*i)
	}
	for name, text := range map[string]string{"layers": layers.String(),
		"hosts": htmlType + "\r\n\r\n" + strings.Repeat("<a href=//"+letters.String()+">", 4<<20/900)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				readContent([]byte(text), nil)
			}
		})
	}
}
