package action

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"osm"
	"osm/incident"
)

func customers(templates string) Config {
	cfg := DefaultConfig()
	cfg.Customers, cfg.Templates = true, templates
	return cfg
}

func of(login string, key osm.Key, s incident.State) *incident.Incident {
	i := turned("I1", s)
	i.Login, i.Key = login, key
	return i
}

var (
	bob  = osm.Key{Kind: osm.KeyLogin, Value: "bob@x.example"}
	site = osm.Key{Kind: osm.KeyScript, Value: "/home/x/public_html" + hostile}
)

func TestNoticeGoesToTheOwner(t *testing.T) {
	off := customers("")
	off.Customers = false
	for name, c := range map[string]struct {
		cfg      Config
		incident *incident.Incident
		customer Customer
		want     string
	}{
		"login":           {customers(""), of("bob@x.example", bob, incident.Open), Customer{Address: "owner@y.example"}, "bob@x.example"},
		"site":            {customers(""), of("", site, incident.Open), Customer{Address: "owner@y.example, second@y.example"}, "owner@y.example"},
		"user name":       {customers(""), of("bob", bob, incident.Open), Customer{Address: "owner@y.example"}, "owner@y.example"},
		"nobody":          {customers(""), of("", site, incident.Open), Customer{}, ""},
		"an option":       {customers(""), of("-oX@y", bob, incident.Open), Customer{Address: "-bs@x.example"}, ""},
		"a header":        {customers(""), of("a@b\r\nBcc: c@d", bob, incident.Open), Customer{Address: "a@b\nc@d"}, ""},
		"two at once":     {customers(""), of(`"a b"@c`, bob, incident.Open), Customer{Address: "<a@b> c@d"}, ""},
		"not told":        {customers(""), of("bob@x.example", bob, incident.Closed), Customer{}, ""},
		"not switched on": {off, of("bob@x.example", bob, incident.Open), Customer{}, ""},
	} {
		l, ok, err := NewNotices(c.cfg, "mx.example").Turned(c.incident, c.customer, noon)
		got := ""
		if ok {
			got = strings.Join(l.Mail.To, " ")
		}
		if err != nil || got != c.want {
			t.Errorf("%s: goes to %q, %v; want %q", name, got, err, c.want)
		}
	}
	old := of("bob@x.example", bob, incident.Open)
	if _, ok, _ := NewNotices(customers(""), "mx").Turned(old, Customer{}, noon.Add(2*time.Hour)); ok {
		t.Error("an old log is told to the customer")
	}
}

func TestNoticeIsWrittenOnce(t *testing.T) {
	n, o := NewNotices(customers(""), "mx.example"), NewOutbox()
	turn := func(id, login string, s incident.State, at time.Time) {
		i := of(login, bob, s)
		i.ID, i.Updated = id, at
		l, ok, err := n.Turned(i, Customer{}, at)
		if err != nil {
			t.Fatal(err)
		}
		if ok {
			o.PutLetter(l)
		}
	}
	for range 3 {
		turn("I1", "bob@x.example", incident.Open, noon)
	}
	turn("I1", "bob@x.example", incident.Stopped, noon)
	if got := len(o.Letters()); got != 2 {
		t.Errorf("%d notices about two states", got)
	}
	for i := range 20 {
		turn(fmt.Sprint("J", i), "bob@x.example", incident.Open, noon)
		turn(fmt.Sprint("K", i), "eve@x.example", incident.Open, noon)
	}
	toBob := 0
	for _, l := range o.Letters() {
		if l.Mail.To[0] == "bob@x.example" {
			toBob++
		}
	}
	if all := len(o.Letters()); toBob > noticesPerHour || all != toBob+noticesPerHour {
		t.Errorf("%d notices to bob, %d in all: at most %d to one address in an hour", toBob, all, noticesPerHour)
	}
	before := len(o.Letters())
	turn("L", "bob@x.example", incident.Open, noon.Add(2*time.Hour))
	if len(o.Letters()) != before+1 {
		t.Error("nothing is told any more after the hour")
	}
}

func TestNoticeTexts(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"de.txt": "Subject: Hausmeister {{.Who}}\nText", "acme/en.txt": "Subject: Acme {{.ID}}\r\n\r\nDear customer of Acme",
		"acme/fr.txt": "Subject: Acme français\n", "broken/en.txt": "no subject",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		dir      string
		customer Customer
		want     string // in the subject, or in the error
	}{
		"built in":               {"", Customer{}, "Unusual mail is sent from bob"},
		"built in, German":       {"", Customer{Language: "de"}, "Ungewöhnlicher Versand von bob"},
		"Austrian":               {"", Customer{Language: "de_AT"}, "Ungewöhnlicher"},
		"unknown language":       {"", Customer{Language: "tlh"}, "Unusual"},
		"own text":               {dir, Customer{Language: "de"}, "Hausmeister bob"},
		"own folder, no English": {dir, Customer{}, "Unusual"},
		"reseller":               {dir, Customer{Reseller: "acme"}, "Acme I1"},
		"reseller's language":    {dir, Customer{Reseller: "acme", Language: "fr"}, "Acme français"},
		"reseller's English":     {dir, Customer{Reseller: "acme", Language: "de"}, "Acme I1"},
		"no such reseller":       {dir, Customer{Reseller: "none", Language: "de"}, "Hausmeister"},
		"leads elsewhere":        {filepath.Join(dir, "acme"), Customer{Reseller: "..", Language: "../de"}, "Acme I1"},
		"broken":                 {dir, Customer{Reseller: "broken"}, "must begin with Subject:"},
	} {
		n := NewNotices(customers(c.dir), "mx.example")
		l, _, err := n.Turned(of("bob@x.example", bob, incident.Open), c.customer, noon)
		got := fmt.Sprint(err)
		if err == nil {
			got = l.Mail.Subject
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// TestNoticeIsPrintable puts hostile values into every text that is built in, in every state.
func TestNoticeIsPrintable(t *testing.T) {
	for _, language := range []string{"en", "de"} {
		for _, s := range incident.States() {
			cfg := customers("")
			cfg.States = incident.States()
			i := of("", site, s)
			i.Closed = noon
			l, ok, err := NewNotices(cfg, "mx.example").Turned(i, Customer{Address: "owner@y.example", Language: language}, noon)
			if err != nil || !ok {
				t.Fatalf("%s %s: %v, %v", language, s, ok, err)
			}
			for _, line := range append(strings.Split(l.Mail.Text, "\n"), l.Mail.Subject) {
				if osm.Printable(line) != line || strings.HasPrefix(line, "Bcc:") {
					t.Errorf("%s %s: a stranger has written %q", language, s, line)
				}
			}
			if !strings.Contains(l.Mail.Text, "/home/x/public_html") || !strings.Contains(l.Mail.Text, "I1") {
				t.Errorf("%s %s: %s", language, s, l.Mail.Text)
			}
		}
	}
}

func TestTemplatesAreChecked(t *testing.T) {
	for text, want := range map[string]string{
		"Subject: fine {{.Who}}\n\n{{range .Subjects}}{{.}}{{end}}": "",
		"Subject: {{.Whoever}}\n":                                   "Whoever",
		"Subject: {{if}}\n":                                         "en.txt:1",
		"Dear {{.Who}}\n":                                           "first line",
	} {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, "acme"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "acme", "en.txt"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		cfg, got := customers(dir), ""
		cfg.Check(func(key, problem string) { got += key + ": " + problem })
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	for _, dir := range []string{"relative", "/does/not/exist"} {
		cfg, got := customers(dir), ""
		cfg.Check(func(key, _ string) { got = key })
		if got != "templates" {
			t.Errorf("%s: complains about %q", dir, got)
		}
	}
}
