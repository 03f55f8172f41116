package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	"golang.org/x/text/language"
)

//go:embed templates/*.html
var templateFiles embed.FS

//go:embed assets
var assetFiles embed.FS

// pages draws the pages: every template in every language.
type pages struct {
	base     string // path before all of ours
	now      func() time.Time
	zone     *time.Location
	speeches []*speech
	matcher  language.Matcher
	assets   map[string]asset
	counts   navCounts

	mu        sync.Mutex
	templates map[pageKey]*template.Template // those that were wanted: all of them would take 12 MB
}

// pageKey is a page in a language.
type pageKey struct {
	speech *speech
	name   string
}

// asset is a file that browsers fetch besides the page. Its address changes with its content, so that they may keep it.
type asset struct {
	data      []byte
	kind, tag string
}

func newPages(base string, now func() time.Time, zone *time.Location) (*pages, error) {
	p := &pages{base: base, now: now, zone: zone, templates: map[pageKey]*template.Template{}, assets: map[string]asset{},
		counts: navCounts{seen: map[string]navCount{}, overviews: map[string]*Overview{}}}
	var err error
	if p.speeches, err = speeches(); err != nil {
		return nil, err
	}
	tags := make([]language.Tag, len(p.speeches))
	for i, s := range p.speeches {
		tags[i] = s.tag
	}
	p.matcher = language.NewMatcher(tags)
	if err := p.readAssets(); err != nil {
		return nil, err
	}
	return p, nil
}

// template reads that of a page when it is wanted for the first time.
func (p *pages) template(say *speech, name string) (*template.Template, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := pageKey{say, name}
	if t := p.templates[key]; t != nil {
		return t, nil
	}
	t, err := template.New("").Funcs(p.functions(say)).ParseFS(templateFiles, "templates/frame.html", "templates/parts.html", "templates/"+name+".html")
	if err != nil {
		return nil, fmt.Errorf("read the template %s: %w", name, err)
	}
	p.templates[key] = t
	return t, nil
}

func (p *pages) readAssets() error {
	kinds := map[string]string{".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
	return fs.WalkDir(assetFiles, "assets", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := assetFiles.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(data)
		p.assets[path.Base(name)] = asset{data: data, kind: kinds[path.Ext(name)], tag: hex.EncodeToString(sum[:6])}
		return nil
	})
}

// asset serves a file of ours.
func (p *pages) asset(w http.ResponseWriter, r *http.Request) {
	a, ok := p.assets[path.Base(r.URL.Path)]
	if !ok {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", a.kind)
	h.Set("ETag", `"`+a.tag+`"`)
	h.Set("Cache-Control", "no-cache")
	if r.URL.Query().Get("v") == a.tag {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(a.data))
}

// page is what a template is given.
type page struct {
	Name     string // of its template
	Place    string // entry of the navigation that it belongs to
	Path     string // with its query, below the base: forms come back to it
	Speech   *speech
	Theme    string // light, dark or "" for what the system says
	Viewer   *Viewer
	Notice   *notice
	Incident int // that are live
	Held     int // messages
	Find     string
	Live     string // where events come from; "" where the page stands still
	Data     any

	speeches []*speech
}

// May tells whether the viewer has a right: what he may not do is not offered.
func (p *page) May(right string) bool { return p.Viewer.May(Right(right)) }

// Languages are those that can be chosen.
func (p *page) Languages() []*speech { return p.speeches }

// Tag is the language's name for machines (BCP 47).
func (s *speech) Tag() string { return s.tag.String() }

// Name is what its speakers call it.
func (s *speech) Name() string { return s.name }

// Cookies in which a browser keeps what its user has chosen.
const (
	themeCookie  = "osm_theme"
	speechCookie = "osm_language"
	choiceAge    = 365 * 24 * time.Hour
)

// speechFor chooses the language: what the user chose, else what his browser asks for.
func (p *pages) speechFor(r *http.Request) *speech {
	chosen := ""
	if c, err := r.Cookie(speechCookie); err == nil {
		chosen = c.Value
	}
	_, i := language.MatchStrings(p.matcher, chosen, r.Header.Get("Accept-Language"))
	return p.speeches[i]
}

func themeFor(r *http.Request) string {
	if c, err := r.Cookie(themeCookie); err == nil && (c.Value == "light" || c.Value == "dark") {
		return c.Value
	}
	return ""
}

// show writes a page. It is made whole before anything is sent: an error is an error page, not half a page.
func (p *pages) show(w http.ResponseWriter, r *http.Request, status int, view *page) error {
	view.Speech, view.Theme, view.speeches = p.speechFor(r), themeFor(r), p.speeches
	view.Viewer = ViewerOf(r.Context())
	if view.Path == "" {
		view.Path = r.URL.RequestURI()
	}
	view.Notice = p.takeNotice(w, r)
	t, err := p.template(view.Speech, view.Name)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "frame", view); err != nil {
		return fmt.Errorf("draw the page %s: %w", view.Name, err)
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", view.Speech.tag.String())
	h.Set("Cache-Control", "no-store")
	h.Add("Vary", "Accept-Language, Cookie")
	w.WriteHeader(status)
	_, err = w.Write(b.Bytes())
	return err
}

// link makes an address below the base, with a query of names and values in pairs.
func (p *pages) link(to string, pairs ...any) string {
	address := p.base + to
	query := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if value := fmt.Sprint(pairs[i+1]); value != "" {
			query.Set(fmt.Sprint(pairs[i]), value)
		}
	}
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	return address
}

// back is where a form leads to: the page that it stood on when that is one of ours.
func (p *pages) back(r *http.Request, otherwise string) string {
	to := r.FormValue("back")
	if !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t") || len(to) > 4096 {
		return p.base + otherwise
	}
	return p.base + to
}
