package web_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// startBrowser starts Chromium, or skips.
func startBrowser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Skip("chromium is not installed: make test installs it")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.ExecPath(path), chromedp.WindowSize(1280, 900),
		chromedp.Flag("force-color-profile", "srgb"), chromedp.Flag("lang", "en"))
	allocated, end := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(end)
	ctx, cancel := chromedp.NewContext(allocated)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	return ctx
}

// tab is a browser of somebody's own, with its own cookies. It notes everything that a page does wrong.
type tab struct {
	*testing.T
	ctx  context.Context
	base string

	mu       sync.Mutex
	problems []string
	status   int64 // of the last page
}

// open makes a tab. Without script it is a browser with scripts switched off.
func open(t *testing.T, parent context.Context, base string) *tab {
	t.Helper()
	b := &tab{T: t, base: base}
	ctx, cancel := chromedp.NewContext(parent, chromedp.WithNewBrowserContext(), chromedp.WithListener(b.note))
	t.Cleanup(cancel)
	ctx, stop := context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(stop)
	b.ctx = ctx
	command(b, network.Enable, network.EnableParams{})
	command(b, log.Enable, cdp.Empty{})
	command(b, page.Enable, page.EnableParams{})
	return b
}

// command sends a command of the DevTools protocol whose answer is of no interest.
func command[P, R any](b *tab, c cdp.Command[P, R], params P) {
	b.Helper()
	if _, err := chromedp.Call(b.ctx, c, params); err != nil {
		b.Fatal(err)
	}
}

// note gathers what is wrong. It runs where the browser's messages are read.
func (b *tab) note(ev any) {
	problem := ""
	switch e := ev.(type) {
	case *runtime.EventExceptionThrown:
		problem = fmt.Sprintf("exception: %s %+v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception)
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.ConsoleAPICalledTypeError || e.Type == runtime.ConsoleAPICalledTypeWarning {
			problem = "console: " + fmt.Sprint(e.Args)
		}
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Source == log.EntrySourceSecurity || e.Entry.Source == log.EntrySourceViolation {
			problem = fmt.Sprintf("%s: %s %s", e.Entry.Source, e.Entry.Text, e.Entry.URL)
		}
	case *page.EventJavascriptDialogOpening:
		problem = "a script asks: " + e.Message
	case *network.EventLoadingFailed:
		if !e.Canceled {
			problem = "request failed: " + e.ErrorText
		}
	case *network.EventResponseReceived:
		if e.Type == network.ResourceTypeDocument {
			b.mu.Lock()
			b.status = e.Response.Status
			b.mu.Unlock()
		} else if e.Response.Status >= 400 {
			problem = fmt.Sprintf("%s: %d", e.Response.URL, e.Response.Status)
		}
	}
	if problem != "" {
		b.mu.Lock()
		b.problems = append(b.problems, problem)
		b.mu.Unlock()
	}
}

// clean fails with what the pages since the last call have done wrong; what is expected is passed over.
func (b *tab) clean(where string, expected ...string) {
	b.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.problems {
		if !slices.ContainsFunc(expected, func(e string) bool { return strings.Contains(p, e) }) {
			b.Errorf("%s: %.500s", where, p)
		}
	}
	b.problems = nil
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	for i, s := range steps {
		if err := chromedp.Do(ctx, s); err != nil {
			b.Fatalf("step %d of %d at %s: %v\n%s", i+1, len(steps), b.where(), err, short(b.text("body")))
		}
	}
}

// patience is how long a page may take on a crowded machine.
const patience = 30 * time.Second

func short(s string) string { return s[:min(len(s), 1500)] }

// goTo opens a page of osm's and tells its status.
func (b *tab) goTo(path string) int64 {
	b.Helper()
	b.do(chromedp.Navigate(b.base + path))
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.status
}

func eval[T any](b *tab, script string) T {
	b.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.Fatalf("%.200s: %v", script, err)
	}
	return v
}

// where is the path of the page, below the base path.
func (b *tab) where() string {
	at, err := chromedp.Run(b.ctx, chromedp.Location())
	if err != nil {
		return err.Error()
	}
	return strings.TrimPrefix(at, b.base)
}

// text is what a part of the page says, "" when it is not there.
func (b *tab) text(selector string) string {
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](fmt.Sprintf("(document.querySelector(%q) || {}).textContent || ''", selector)))
	if err != nil {
		return err.Error()
	}
	return text
}

// press clicks what is at a selector, and waits for the page that follows.
func (b *tab) press(selector string) {
	b.Helper()
	b.follow(chromedp.Click(chromedp.CSS(selector)))
}

// follow does something that leads to another page, and waits for it.
func (b *tab) follow(step chromedp.Action[chromedp.Void]) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.WaitEvent(page.LoadEventFired, func(page.EventLoadEventFired) bool { return true }, step)); err != nil {
		b.Fatalf("no page follows %s: %v\n%s\n%s", b.where(), err, b.told(), short(b.text("main")))
	}
}

// told is what has gone wrong so far.
func (b *tab) told() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return strings.Join(b.problems, "\n")
}

// sure presses a button that asks first, and says yes.
func (b *tab) sure(selector string) {
	b.Helper()
	b.do(chromedp.Click(chromedp.CSS(selector)), chromedp.WaitVisible(chromedp.CSS("dialog#ask[open]")))
	b.press(`dialog#ask button[value="yes"]`)
}

func (b *tab) signIn(name string) {
	b.Helper()
	b.goTo("/login")
	b.do(chromedp.SendKeys(chromedp.CSS("#name"), name), chromedp.SendKeys(chromedp.CSS("#password"), password))
	b.press("form[action$='/login'] button.main")
	if strings.HasPrefix(b.where(), "/login") {
		b.Fatalf("%s can't sign in: %s", name, short(b.text("main")))
	}
}

// dark switches the colours of the machine.
func (b *tab) dark(on bool) {
	b.Helper()
	value := "light"
	if on {
		value = "dark"
	}
	command(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: value}}})
}

// album is where screenshots go: the folder that OSM_SCREENSHOTS names, or the test's own.
func album(t *testing.T) string {
	if dir := os.Getenv("OSM_SCREENSHOTS"); dir != "" {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	return t.ArtifactDir()
}

// shoot keeps a picture of the page under a name that is the same in every run.
func (b *tab) shoot(dir, name, kind string) {
	b.Helper()
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+"-"+kind+".png"), picture, 0o644)
	}
	if err != nil {
		b.Fatal(err)
	}
}
