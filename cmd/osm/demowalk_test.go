package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"osm/exim"
	"osm/lab"
)

// mostClicks is how many lead a newcomer from the first page to the undone block and the released letter: more make him think.
const mostClicks = 10

// TestDemoWalk goes the way of somebody who has never seen osm, in a real browser on the real demo: he finds the stolen login,
// reads why it was stopped, blocks it and takes that back, reads a wrongly held letter and releases it.
func TestDemoWalk(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts an Exim and a browser")
	}
	if err := lab.Missing(); err != nil {
		t.Skip(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	v := newcomer{T: t, ctx: browser(t, ctx)}
	stage := &invitedTo{found: make(chan string, 1)}
	var complaints strings.Builder
	d := demo{program: &program{in: strings.NewReader(""), out: stage, err: &complaints, now: time.Now}, way: exim.ByACL, seed: 1,
		attack: lab.Attack{Mailing: time.Millisecond, Login: time.Second}}
	playing, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- d.run(playing) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("%v: %s", err, &complaints)
		}
		if t.Failed() {
			t.Log(stage.text.String())
		}
	}()
	select {
	case address := <-stage.found:
		v.goTo(address)
	case err := <-ended:
		ended <- err
		t.Fatal("the demo ended before it had an address for a browser")
	}
	v.walk()
}

// walk is the way itself.
func (v *newcomer) walk() {
	v.sees("Mail of " + lab.Florist + " is held (Stolen login?)")
	v.sees(lab.StolenLogin + " is stopped (Stolen login)")
	v.follows(lab.StolenLogin + " is stopped")
	v.sees("A password is in strangers' hands", "recipients never mailed before", "new networks in two days", "give "+lab.StolenLogin+" a new password")
	v.follows("Go to the sender")
	v.presses("Block for 24 hours")
	v.follows("Yes, do it")
	v.sees(lab.StolenLogin+" is blocked.", "It is on the block list")
	v.follows("Undo")
	v.sees("It is undone.", "Block for 24 hours")
	v.follows("Now")
	v.follows("Read it")
	v.sees("Dear customers,", "Open on Sundays before Christmas", "to 45 recipients")
	v.presses("Release it")
	v.follows("Yes, do it")
	v.sees("is released.", "Nothing of this sender is held any more")
	v.follows("Now")
	v.sees("Mail of " + lab.Florist + " was held")
	if v.clicks > mostClicks {
		v.Errorf("it took %d clicks, want at most %d", v.clicks, mostClicks)
	}
}

// newcomer is a browser with somebody before it, who knows only what he reads.
type newcomer struct {
	*testing.T
	ctx    context.Context
	clicks int
}

func browser(t *testing.T, ctx context.Context) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed: make test installs it")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.ExecPath(path), chromedp.WindowSize(1440, 900),
		chromedp.Flag("lang", "en"))
	ctx, end := chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(end)
	ctx, cancel := chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	return ctx
}

func (v *newcomer) goTo(address string) {
	v.Helper()
	if err := chromedp.Do(v.ctx, chromedp.Navigate(address)); err != nil {
		v.Fatalf("open %s: %v", address, err)
	}
}

// at finds what can be pressed by the words on it, as people do.
func at(words string) chromedp.JSPath {
	return chromedp.JSPath(fmt.Sprintf(`[...document.querySelectorAll("a, button")].find(e => e.checkVisibility() && e.innerText.trim().startsWith(%q))`, words))
}

// presses clicks on what says the words.
func (v *newcomer) presses(words string) {
	v.Helper()
	v.clicks++
	if err := chromedp.Do(v.ctx, chromedp.Click(at(words))); err != nil {
		v.Fatalf("press %q: %v: %s", words, err, v.reads())
	}
}

// follows clicks on what leads to another page, and waits for it.
func (v *newcomer) follows(words string) {
	v.Helper()
	v.clicks++
	if _, err := chromedp.Run(v.ctx, chromedp.WaitEvent(page.LoadEventFired, nil, chromedp.Click(at(words)))); err != nil {
		v.Fatalf("follow %q: %v: %s", words, err, v.reads())
	}
}

// sees waits until the page says all of it: what turns is shown by itself.
func (v *newcomer) sees(all ...string) {
	v.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for _, words := range all {
		for text := v.reads(); !strings.Contains(text, words); text = v.reads() {
			select {
			case <-tick.C:
			case <-v.ctx.Done():
				v.Fatalf("%q is not to be seen: %s", words, text)
			}
		}
	}
}

func (v *newcomer) reads() string {
	text, err := chromedp.Run(v.ctx, chromedp.Evaluate[string](`document.querySelector("main").innerText`))
	if err != nil {
		return err.Error()
	}
	return text
}

// invitedTo is the demo's output: it finds the address for a browser in it.
type invitedTo struct {
	mu    sync.Mutex
	text  strings.Builder
	found chan string
}

var invited = regexp.MustCompile(`signed in: (http\S+)\n`)

func (o *invitedTo) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if m := invited.FindSubmatch(p); m != nil {
		o.found <- string(m[1])
	}
	return o.text.Write(p)
}
