package web

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"
)

// notice is what came of an order. It is kept in a cookie from the order to the page that follows, which any page of this
// server may have set but no other.
type notice struct {
	Bad   bool     `json:"b,omitempty"`
	Key   string   `json:"k"`           // of the text
	Pairs []any    `json:"p,omitempty"` // its values: texts and whole numbers
	Deed  string   `json:"d,omitempty"` // that can be undone
	Lines []string `json:"l,omitempty"` // what else is to be said
}

const (
	noticeCookie = "osm_notice"
	noticeAge    = 2 * time.Minute
	longestWord  = 200 // of a value: a cookie holds 4 kB
)

// say sends a browser to a page that tells what came of its order (POST, redirect, GET).
func (p *pages) say(w http.ResponseWriter, r *http.Request, to string, n notice) {
	for i, value := range n.Pairs {
		if text, ok := value.(string); ok {
			n.Pairs[i] = cutBytes(text, longestWord)
		}
	}
	n.Lines = n.Lines[:min(len(n.Lines), 5)]
	for i, line := range n.Lines {
		n.Lines[i] = cutBytes(line, longestWord)
	}
	if data, err := json.Marshal(n); err == nil { // texts and numbers: it can't fail
		http.SetCookie(w, p.cookie(r, noticeCookie, base64.RawURLEncoding.EncodeToString(data), noticeAge))
	}
	http.Redirect(w, r, to, http.StatusSeeOther)
}

// cookie makes one for our pages alone, which scripts can't read.
func (p *pages) cookie(r *http.Request, name, value string, age time.Duration) *http.Cookie {
	return &http.Cookie{Name: name, Value: value, Path: p.base + "/", MaxAge: int(age / time.Second), HttpOnly: true,
		Secure: fromOf(r.Context()).secure, SameSite: http.SameSiteLaxMode}
}

// takeNotice reads and forgets what is to be told.
func (p *pages) takeNotice(w http.ResponseWriter, r *http.Request) *notice {
	c, err := r.Cookie(noticeCookie)
	if err != nil || c.Value == "" {
		return nil
	}
	gone := p.cookie(r, noticeCookie, "", 0)
	gone.MaxAge = -1
	http.SetCookie(w, gone)
	data, err := base64.RawURLEncoding.DecodeString(c.Value)
	var n notice
	if err != nil || json.Unmarshal(data, &n) != nil {
		return nil
	}
	for i, value := range n.Pairs {
		if number, ok := value.(float64); ok {
			n.Pairs[i] = int64(number)
		}
	}
	return &n
}
