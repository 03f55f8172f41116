package main

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"osm/action"
	"osm/exim"
	"osm/lab"
)

// curtain is the demo's output: it ends the demo when everything wanted has been seen.
type curtain struct {
	text   bytes.Buffer
	wanted []string
	fall   func()
}

func (c *curtain) Write(p []byte) (int, error) {
	c.text.Write(p)
	c.wanted = slices.DeleteFunc(c.wanted, func(w string) bool { return strings.Contains(c.text.String(), w) })
	if len(c.wanted) == 0 {
		c.fall()
	}
	return len(p), nil
}

// TestDemo runs the whole demo with a real Exim until all of its scenes have been seen.
func TestDemo(t *testing.T) {
	if err := lab.Missing(); err != nil {
		t.Skip(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	out := &curtain{fall: cancel, wanted: []string{"script     shop", "login      ", "inbound    ", "forward    ",
		"bounce     <>", "has been stolen", "a script was planted", "a program on the server",
		"would reject", "──── alert: "}}
	var complaints bytes.Buffer
	p := &program{in: strings.NewReader(""), out: out, err: &complaints, now: time.Now}
	d := demo{program: p, keep: true, seed: 1,
		attack: lab.Attack{Login: time.Second, Script: 2 * time.Second, Local: 3 * time.Second}}
	if err := d.run(ctx); err != nil {
		t.Fatalf("%v: %s", err, &complaints)
	}
	text := out.text.String()
	if len(out.wanted) > 0 {
		t.Errorf("%q are missing in\n%s", out.wanted, text)
	}
	for _, want := range []string{"\nstolen login ", "\nwanted mail ", "\nLogins\n", "\nScripts\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	_, after, _ := strings.Cut(text, "\nKept: ")
	folder, _, _ := strings.Cut(after, "\n")
	if !strings.HasPrefix(filepath.Base(folder), "osm-lab-") {
		t.Fatalf("the kept folder is not named in\n%s", text)
	}
	defer os.RemoveAll(folder)
	var found bytes.Buffer
	p.out = &found
	status := p.run(t.Context(), []string{"search", "-c", filepath.Join(folder, "osm.toml"), "--login", lab.StolenLogin})
	if status != done || !strings.Contains(found.String(), lab.StolenLogin) {
		t.Errorf("osm search in the kept folder: status %d, %s%s", status, &found, &complaints)
	}
}

// throughGateway is the way in which osm stands in front of Exim.
const throughGateway exim.Way = "gateway"

// TestDemoActive runs it with an Exim that asks, in each way, and behind the gateway, until something of each attack was stopped,
// and a wanted letter that looks like one; that is let go.
func TestDemoActive(t *testing.T) {
	if err := lab.Missing(); err != nil {
		t.Skip(err)
	}
	for _, way := range []exim.Way{exim.ByACL, exim.ByRewrite, throughGateway} {
		t.Run(string(way), func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			out := &curtain{fall: cancel, wanted: []string{" REFUSED V", " HELD V", "hacked-script",
				"localhost-sender", "is stopped", "Open on Sundays"}}
			var complaints bytes.Buffer
			d := demo{program: &program{in: strings.NewReader(""), out: out, err: &complaints, now: time.Now}, way: way, seed: 1,
				attack: lab.Attack{Mailing: time.Millisecond, Login: time.Second, Script: time.Second, Local: time.Second}}
			if way == throughGateway {
				d.way, d.front = exim.ByRewrite, true
			}
			if err := d.run(ctx); err != nil {
				t.Fatalf("%v: %s", err, &complaints)
			}
			text := out.text.String()
			wanted := []string{": held 1, refused 0, ", " was held and is wanted: it is let go"}
			if way == exim.ByRewrite { // it is asked before the recipients are known
				wanted = []string{"osm release ", ": none of them stopped\n"}
			}
			for _, want := range append(wanted, "What is held now", "\nwanted mail ", "wanted mail that looks like spam") {
				if !strings.Contains(text, want) {
					t.Errorf("%q is missing in\n%s", want, text)
				}
			}
			if len(out.wanted) > 0 || strings.Contains(text, "would reject") {
				t.Errorf("%q are missing in\n%s", out.wanted, text)
			}
		})
	}
}

// TestPager shows that only osm can ring the demo's bell.
func TestPager(t *testing.T) {
	rung := 0
	p, err := newPager(func(*action.Alert) { rung++ })
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	for body, want := range map[string]int{"{}": http.StatusForbidden, "no alert": http.StatusBadRequest,
		strings.Repeat(" ", mostAlert+1): http.StatusRequestEntityTooLarge} {
		answer, err := http.Post(p.hook.URL, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("status %d, want %d", answer.StatusCode, want)
		}
	}
	cfg := action.Config{Webhooks: []action.Webhook{p.hook}}
	if err := cfg.Ways("here")[0].Send(t.Context(), action.Letter{ID: "1"}); err != nil {
		t.Error(err)
	}
	if rung != 1 {
		t.Errorf("the bell was rung %d times, want once", rung)
	}
}
