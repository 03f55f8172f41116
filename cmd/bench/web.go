package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"osm/access"
)

// webRounds is how often each page is fetched, at least.
const webRounds = 25

// website is a daemon with a large history, and the browsers of those who look at it.
type website struct {
	*running
	history *filled
	dir     string
	address string
	users   map[string]*http.Client
}

const webPassword = "correct horse battery"

// web measures the pages and the API with a large history, and what many viewers of the live feed cost.
func (b *bench) web(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp(b.dir, "web")
	if err != nil {
		return err
	}
	w := &website{}
	if w.history, err = b.history(dir); err != nil {
		return fmt.Errorf("fill a history: %w", err)
	}
	w.dir = filepath.Dir(w.history.Path)
	if err := w.addUsers(ctx); err != nil {
		return err
	}
	if err := w.open(ctx, b); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.stop()) }()
	for _, who := range []string{"admin", "customer"} {
		if err := b.pages(ctx, w, who); err != nil {
			return err
		}
	}
	if err := b.firstView(ctx, w); err != nil {
		return err
	}
	return b.viewers(ctx, w)
}

// history fills one, or takes the one that an earlier run has left.
func (b *bench) history(dir string) (f *filled, err error) {
	if b.keep != "" {
		dir = b.keep
		f = new(filled)
		switch text, err := os.ReadFile(filepath.Join(dir, askedFile)); {
		case err == nil:
			return f, json.Unmarshal(text, f)
		case !errors.Is(err, os.ErrNotExist):
			return nil, err
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, err
		}
	}
	started, cpu := time.Now(), processorTime()
	if f, err = fillStore(filepath.Join(dir, "osm.db"), b.messages, b.days, time.Now().UTC()); err != nil {
		return nil, err
	}
	info, err := os.Stat(f.Path)
	if err != nil {
		return nil, err
	}
	b.table.add(row{what: fmt.Sprintf("filling a history with %d messages of %d days", f.Messages, b.days), measured: fmt.Sprintf("%.0f s, %.0f s of a core, %.2f GB",
		time.Since(started).Seconds(), (processorTime() - cpu).Seconds(), float64(info.Size())/1e9), than: "the raw log",
		ratio: fmt.Sprintf("%.2f", float64(info.Size())/float64(f.Bytes)), bar: "0.6"})
	text, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	return f, os.WriteFile(filepath.Join(dir, askedFile), text, 0o600)
}

// askedFile tells of a history that was filled what can be asked of it.
const askedFile = "filled.json"

// addUsers makes one who sees everything and one who sees an account.
func (w *website) addUsers(ctx context.Context) error {
	for _, ending := range []string{"", "-wal", "-shm"} { // those of an earlier run
		if err := os.Remove(access.Path(w.history.Path) + ending); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	a := access.New(access.Options{Path: access.Path(w.history.Path), Now: time.Now, Cost: access.Cost{Memory: 64, Time: 1, Threads: 1}})
	add := func(u access.NewUser) error {
		u.Password = webPassword
		return a.Add(ctx, u, "bench")
	}
	return errors.Join(add(access.NewUser{Name: "admin", Role: access.Admin}),
		add(access.NewUser{Name: "customer", Role: access.Customer, Accounts: []string{w.history.Asked["account"]}}), a.Close())
}

// suspects makes every tenth message of a log one that something is found about.
const suspects = `
[[rule]]
name = "bench"
when = 'subject startsWith "t" and subject endsWith "7"'
action = "hold"
`

// open starts the daemon and signs everybody in.
func (w *website) open(ctx context.Context, b *bench) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	w.address = l.Addr().String()
	if err := l.Close(); err != nil {
		return err
	}
	log := filepath.Join(w.dir, "mainlog")
	if err := os.WriteFile(log, nil, 0o644); err != nil {
		return err
	}
	if w.running, err = b.daemon(ctx, w.dir, log, fmt.Sprintf("store.max_size = \"100GB\"\nweb.listen = %q\n", w.address)+suspects); err != nil {
		return err
	}
	if err := answers(ctx, "tcp", w.address); err != nil {
		return errors.Join(err, w.stop())
	}
	w.users = map[string]*http.Client{}
	for _, name := range []string{"admin", "customer"} {
		jar, err := cookiejar.New(nil)
		if err != nil {
			return err
		}
		c := &http.Client{Jar: jar, Transport: &http.Transport{MaxIdleConnsPerHost: 4}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		answer, err := c.PostForm("http://"+w.address+"/login", url.Values{"name": {name}, "password": {webPassword}})
		if err != nil {
			return err
		}
		answer.Body.Close()
		if answer.Header.Get("Location") != "/" {
			return fmt.Errorf("%s can't sign in: %s to %q", name, answer.Status, answer.Header.Get("Location"))
		}
		w.users[name] = c
	}
	return nil
}

// get fetches a page and tells how many bytes came over the wire.
func (w *website) get(ctx context.Context, who, path string) (text string, size int, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.address+path, nil)
	if err != nil {
		return "", 0, err
	}
	answer, err := w.users[who].Do(r)
	if err != nil {
		return "", 0, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusSeeOther {
		err = fmt.Errorf("%s as %s: %s: %.200s", path, who, answer.Status, body)
	}
	return string(body), len(body), err
}

// paths are the pages that read the history, and the operations of the API behind them.
func (w *website) paths(who string) []string {
	a, since := w.history.Asked, func(d time.Duration) string { return w.history.End.Add(-d).Format(time.RFC3339) }
	sender := func(kind, value string) string { return url.Values{"kind": {kind}, "value": {value}}.Encode() }
	day, month := since(24*time.Hour), since(30*24*time.Hour)
	all := []string{"/", "/api/v1/now", "/incidents", "/held", "/messages", "/messages?action=judged", "/senders", "/senders?kind=client", "/senders?kind=subject",
		"/senders?since=7d", "/senders?since=30d", "/senders?kind=subject&since=30d", "/senders?kind=client&since=30d&order=failed",
		"/messages/" + a["latest"], "/messages/" + a["id"],
		"/messages?" + url.Values{"account": {a["account"]}}.Encode(), "/messages?" + url.Values{"login": {a["login"]}}.Encode(),
		"/messages?" + url.Values{"sender": {a["sender"]}}.Encode(), "/messages?" + url.Values{"recipient": {a["recipient"]}}.Encode(),
		"/messages?subject=invoice", "/messages?sender=nobody@nowhere.example", "/messages?subject=nothingofthekind", "/messages?refusal=spam",
		"/sender?" + sender("account", a["account"])}
	if who == "customer" {
		own := slices.DeleteFunc(all, func(path string) bool { return strings.HasPrefix(path, "/messages/") })
		return append(own, "/api/v1/senders?kind=login&since="+month)
	}
	return append(all, "/verdicts/"+a["verdict"], "/sender?"+sender("account", a["busiest"]), "/sender?"+sender("login", a["login"]),
		"/sender?"+sender("script", a["script"]), "/sender?"+sender("client", a["client"]), "/sender?"+sender("sender", a["sender"]),
		"/sender?"+sender("sender-domain", a["sender-domain"]), "/sender?"+sender("subject", a["subject"]),
		"/api/v1/sender?since="+month+"&"+sender("login", a["login"]), "/find?q="+url.QueryEscape(a["login"]), "/find?q=nothingofthekind",
		"/delivery", "/delivery?since=7d", "/delivery?since=30d", "/rules", "/api/v1/rules", "/api/v1/delivery?since="+day, "/lists", "/settings", "/audit", "/users")
}

// pages fetches each page: once after a start with nothing in memory, then many times.
func (b *bench) pages(ctx context.Context, w *website, who string) error {
	if err := w.stop(); err != nil {
		return err
	}
	if err := forgetFile(w.history.Path); err != nil {
		return err
	}
	if err := w.open(ctx, b); err != nil {
		return err
	}
	paths, cold := w.paths(who), map[string]time.Duration{}
	for _, path := range paths {
		start := time.Now()
		if _, _, err := w.get(ctx, who, path); err != nil {
			return err
		}
		cold[path] = time.Since(start)
	}
	for _, path := range paths {
		var took []time.Duration
		before, err := w.cpu()
		if err != nil {
			return err
		}
		for range webRounds {
			start := time.Now()
			if _, _, err := w.get(ctx, who, path); err != nil {
				return err
			}
			took = append(took, time.Since(start))
		}
		after, err := w.cpu()
		if err != nil {
			return err
		}
		slices.Sort(took)
		b.table.add(row{what: shortened(path) + " as " + who, measured: fmt.Sprintf("%d ms, p99 %d ms, cold %d ms, %.0f ms of a core", took[len(took)/2].Milliseconds(),
			took[int(math.Ceil(float64(len(took))*0.99))-1].Milliseconds(), cold[path].Milliseconds(), (after-before).Seconds()*1000/webRounds), bar: "150 ms, p99 500 ms"})
	}
	return nil
}

func shortened(path string) string {
	path, err := url.QueryUnescape(path)
	if r := []rune(path); err == nil && len(r) > 70 {
		return string(r[:69]) + "…"
	}
	return path
}

// forgetFile lets the kernel drop what it keeps of a file in memory.
func forgetFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	const dontNeed = 4 // POSIX_FADV_DONTNEED of posix_fadvise(2)
	err = f.Sync()
	if _, _, code := syscall.Syscall6(syscall.SYS_FADVISE64, f.Fd(), 0, 0, dontNeed, 0, 0); code != 0 {
		err = errors.Join(err, code)
	}
	return errors.Join(err, f.Close())
}

var assetAddress = regexp.MustCompile(`(?:href|src)="(/assets/[^"]+)"`)

// firstView adds up what a browser fetches that comes for the first time, as it comes over the wire.
func (b *bench) firstView(ctx context.Context, w *website) error {
	jar := w.users["admin"].Jar
	total, parts := 0, ""
	fetch := func(path string) (string, error) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.address+path, nil)
		if err != nil {
			return "", err
		}
		r.Header.Set("Accept-Encoding", "gzip")
		wire := &http.Client{Jar: jar, Transport: &http.Transport{DisableCompression: true}}
		answer, err := wire.Do(r)
		if err != nil {
			return "", err
		}
		defer answer.Body.Close()
		body, err := io.ReadAll(answer.Body)
		total += len(body)
		parts += fmt.Sprintf(", %s %.1f kB", strings.Split(path, "?")[0], float64(len(body))/1000)
		return string(body), err
	}
	if _, err := fetch("/"); err != nil {
		return err
	}
	plain, _, err := w.get(ctx, "admin", "/")
	if err != nil {
		return err
	}
	var seen []string
	for _, found := range assetAddress.FindAllStringSubmatch(plain, -1) {
		if !slices.Contains(seen, found[1]) {
			seen = append(seen, found[1])
			if _, err := fetch(found[1]); err != nil {
				return err
			}
		}
	}
	b.table.add(row{what: "first view", measured: fmt.Sprintf("%.1f kB%s", float64(total)/1000, parts), bar: "150 kB"})
	return nil
}
