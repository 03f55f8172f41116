package action

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-message"

	"osm"
	"osm/chart"
	"osm/incident"
)

func TestDigestIsDueOnceADay(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	for name, c := range map[string]struct{ at, now, want string }{
		"later today":    {"07:00", "2026-11-23 06:59", "2026-11-22 07:00"},
		"now":            {"07:00", "2026-11-23 07:00", "2026-11-23 07:00"},
		"missed":         {"07:00", "2026-11-23 23:59", "2026-11-23 07:00"},
		"first of month": {"07:00", "2026-12-01 00:00", "2026-11-30 07:00"},
		"25 hours":       {"07:00", "2026-10-26 06:00", "2026-10-25 07:00"}, // the clock went back on the 25th
		"23 hours":       {"07:00", "2026-03-29 07:00", "2026-03-29 07:00"},
	} {
		cfg := Config{Digest: c.at, Mail: []string{"root"}}
		now, err := time.ParseInLocation("2006-01-02 15:04", c.now, berlin)
		if err != nil {
			t.Fatal(err)
		}
		if got := cfg.Due(now).Format("2006-01-02 15:04"); got != c.want {
			t.Errorf("%s: at %s it is due at %s, want %s", name, c.now, got, c.want)
		}
	}
	for _, cfg := range []Config{{Digest: "07:00"}, {Mail: []string{"root"}}} {
		if due := cfg.Due(noon); !due.IsZero() {
			t.Errorf("%+v: due at %v", cfg, due)
		}
	}
}

func digest() *Digest {
	over := *turned("I2", incident.Closed)
	over.Updated = noon.Add(time.Hour)
	row := Row{Name: "script" + hostile, Messages: 12, Recipients: 34, Delivered: 30, Failed: 4, Stopped: 5}
	return &Digest{Host: "mx.example", Since: noon.Add(-24 * time.Hour), Until: noon, Classes: []Row{row}, Total: row,
		Refusals: []Amount{{"spam", 3}}, Rankings: []Ranking{{"Logins", []Row{row}}, {"Scripts", nil}},
		Incidents: []incident.Incident{over, *turned("I1", incident.Stopped)}, Notices: []string{"no countries" + hostile}}
}

func TestDigestTells(t *testing.T) {
	d := digest()
	text := d.Text()
	for _, line := range append(strings.Split(text, "\n"), d.Subject()) {
		if osm.Printable(line) != line || strings.HasPrefix(line, "Bcc:") {
			t.Errorf("a stranger has written %q", line)
		}
	}
	for _, want := range []string{"12", "34", "spam", "Logins", "no countries", "osm report"} {
		if !strings.Contains(text, want) {
			t.Errorf("the digest does not have %q:\n%s", want, text)
		}
	}
	if first, second := strings.Index(text, "I1"), strings.Index(text, "I2"); first < 0 || second < first {
		t.Errorf("what goes on does not come first:\n%s", text)
	}
	if strings.Contains(text, "Scripts") {
		t.Error("a ranking of nobody")
	}
	if got, want := d.Subject(), "[osm mx.example] 12 messages, 5 stopped, 2 incidents (1 going on)"; got != want {
		t.Errorf("subject %q, want %q", got, want)
	}
	for i := range digestIncidents {
		d.Incidents = append(d.Incidents, *turned(fmt.Sprint("I1", i), incident.Open))
	}
	if !strings.Contains(d.Text(), "and 2 more") {
		t.Error("the incidents are not bounded")
	}
}

// TestDigestSurvives: the letter of a day is put in once, and is sent by whoever finds it in the kept outbox.
func TestDigestSurvives(t *testing.T) {
	cfg := DefaultConfig()
	out := filepath.Join(t.TempDir(), "out")
	cfg.Mail, cfg.Sendmail = []string{"root"}, script(t, "cat > "+out)
	o, again := NewOutbox(), NewOutbox()
	letter, err := digest().Letter(&cfg, noon)
	if err != nil {
		t.Fatal(err)
	}
	o.PutLetter(letter)
	o.PutLetter(letter)
	if err := o.Dirty(func(_ string, blob []byte) {
		if err := again.Restore(blob); err != nil {
			t.Error(err)
		}
	}); err != nil {
		t.Fatal(err)
	}
	again.PutLetter(letter)
	l, ok, _ := again.Take(noon)
	if _, second, _ := again.Take(noon); !ok || second || l.Mail == nil {
		t.Fatalf("%+v, a second one: %v", l, second)
	}
	if err := cfg.Post(context.Background(), "mx.example", l.ID, *l.Mail); err != nil {
		t.Fatal(err)
	}
	sent, err := os.ReadFile(out)
	if err != nil || !strings.Contains(string(sent), "To: root\n") || !strings.Contains(string(sent), "Incidents:") {
		t.Errorf("%v: %s", err, sent)
	}
}

// TestDigestPictures reads a digest as a mail program does: the text alone, or the page with its pictures.
func TestDigestPictures(t *testing.T) {
	cfg := DefaultConfig()
	out := filepath.Join(t.TempDir(), "out")
	cfg.Mail, cfg.Sendmail = []string{"root"}, script(t, "cat > "+out)
	d := digest()
	d.Pictures = []Picture{{Time: &chart.Time{Title: "Deliveries", Start: noon, Step: time.Hour, Series: []chart.Series{{Name: "delivered" + hostile, Values: []float64{1, 2}}}}},
		{Rank: &chart.Rank{Title: "Logins" + hostile, Rows: []chart.Row{{Label: hostile, Value: 3}}}}}
	letter, err := d.Letter(&cfg, noon)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := json.Marshal(letter) // as it waits in the outbox over a restart
	if err == nil {
		err = json.Unmarshal(kept, &letter)
	}
	if err != nil || len(kept) > 20<<10 {
		t.Fatalf("%v: %d bytes wait in the outbox", err, len(kept))
	}
	if err := cfg.Post(context.Background(), "mx.example", letter.ID, *letter.Mail); err != nil {
		t.Fatal(err)
	}
	sent, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	readParts(t, bytes.ReplaceAll(sent, []byte("\n"), []byte("\r\n")), found)
	if found["text/plain"] != strings.ReplaceAll(d.Text(), "\n", "\r\n") {
		t.Errorf("the text is not the digest's: %q", found["text/plain"])
	}
	page := found["text/html"]
	if strings.Contains(page, "<script") || strings.Contains(page, "\u202e") || !strings.Contains(page, "&lt;") {
		t.Errorf("a stranger has written in the page:\n%s", page)
	}
	for i := range d.Pictures {
		id := pictureID(i)
		img, err := png.Decode(strings.NewReader(found["<"+id+">"]))
		if err != nil || img.Bounds().Dx() < chart.Width || !strings.Contains(page, `src="cid:`+id+`"`) {
			t.Errorf("picture %d: %v", i, err)
		}
	}
}

// readParts takes a mail apart: what it has of each kind, and pictures by their name.
func readParts(t *testing.T, raw []byte, found map[string]string) {
	t.Helper()
	entity, err := message.Read(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	err = entity.Walk(func(_ []int, e *message.Entity, err error) error {
		if err != nil {
			return err
		}
		kind, _, err := e.Header.ContentType()
		if err != nil || strings.HasPrefix(kind, "multipart/") {
			return err
		}
		body, err := io.ReadAll(e.Body)
		if name := e.Header.Get("Content-Id"); name != "" {
			kind = name
		}
		found[kind] = string(body)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
