package web

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"osm"
)

// contentPolicy allows pages what they need: their own scripts, styles and pictures, from here.
func contentPolicy(c *Config) string {
	ancestors := "'none'"
	if len(c.Frames) > 0 {
		ancestors = "'self' " + strings.Join(c.Frames, " ")
	}
	return "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
		"base-uri 'none'; form-action 'self'; frame-ancestors " + ancestors + "; report-uri " + c.BasePath + reportPath
}

// reportPath is where browsers tell what they did not do because of the policy.
const reportPath = "/csp-report"

// from is where a request comes from, and whether the browser's side of it is encrypted.
type from struct {
	addr   netip.Addr
	secure bool
}

type fromKey struct{}

// fromOf is where a request comes from: the zero value on the control socket.
func fromOf(ctx context.Context) from {
	f, _ := ctx.Value(fromKey{}).(from)
	return f
}

// guard is around everything: it takes the base path off, says what browsers may do with answers, and limits what they send.
func (s *Server) guard(next http.Handler) http.Handler {
	base := s.o.Config.BasePath
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f := s.origin(r)
		h := w.Header()
		h.Set("Content-Security-Policy", s.policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store") // assets say otherwise
		if len(s.o.Config.Frames) == 0 {
			h.Set("X-Frame-Options", "DENY")
		}
		if f.secure {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		if r.ContentLength > mostBody { // what follows on this connection would be the rest of it
			h.Set("Connection", "close")
			http.Error(w, "this is too large", http.StatusRequestEntityTooLarge)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, mostBody)
		r = r.WithContext(context.WithValue(r.Context(), fromKey{}, f))
		if base != "" { // a proxy may take it off, or not
			if r.URL.Path == base {
				http.Redirect(w, r, base+"/", http.StatusMovedPermanently)
				return
			}
			if strings.HasPrefix(r.URL.Path, base+"/") {
				http.StripPrefix(base, next).ServeHTTP(w, r)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// origin tells where a request comes from. What a proxy says is believed of those proxies alone that are trusted.
func (s *Server) origin(r *http.Request) from {
	f := from{secure: r.TLS != nil}
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		f.addr, _ = netip.ParseAddr(host) // none for a unix socket
	}
	if !s.trusts(f.addr) {
		return f
	}
	f.secure = f.secure || r.Header.Get("X-Forwarded-Proto") == "https"
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, hop := range slices.Backward(hops) { // each proxy adds at the end whom it got it from
		addr, err := netip.ParseAddr(strings.TrimSpace(hop))
		if err != nil {
			break
		}
		if f.addr = addr; !s.trusts(addr) {
			break
		}
	}
	return f
}

func (s *Server) trusts(a netip.Addr) bool {
	return a.IsValid() && slices.ContainsFunc(s.trusted, func(n netip.Prefix) bool { return n.Contains(a.Unmap()) })
}

// mostReports is how many violations are noted in a minute: anybody may send them.
const mostReports = 20

// reports counts them.
type reports struct {
	mu    sync.Mutex
	since time.Time
	count int
}

func (r *reports) room(now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now.Sub(r.since) >= time.Minute {
		r.since, r.count = now, 0
	}
	r.count++
	return r.count <= mostReports
}

// violation notes what a browser did not do because of the policy: it is a fault of ours, or somebody's try.
func (s *Server) violation(w http.ResponseWriter, r *http.Request) {
	var report struct {
		Body struct {
			Document  string `json:"document-uri"`
			Directive string `json:"effective-directive"`
			Blocked   string `json:"blocked-uri"`
			Sample    string `json:"script-sample"`
		} `json:"csp-report"`
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, 16<<10)).Decode(&report); err != nil {
		s.fail(w, r, http.StatusBadRequest, "this is no report")
		return
	}
	w.WriteHeader(http.StatusNoContent)
	if !s.reports.room(s.o.Now()) {
		return
	}
	b := &report.Body
	s.o.Logger.Warn("a browser refused what a page wanted", "page", short(b.Document), "directive", short(b.Directive), "what", short(b.Blocked),
		"sample", short(b.Sample))
}

// short makes a stranger's text fit for the log.
func short(text string) string { return osm.Printable(text[:min(len(text), 200)]) }

// leastCompressed is the size below which compressing is not worth it.
const leastCompressed = 1 << 10

// compress sends texts gzipped to those who take that. Live events are sent as they are, and so is what is compressed
// already.
func (s *Server) compress(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !acceptsGzip(r.Header.Get("Accept-Encoding")) || r.Method == http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		z := &zipped{ResponseWriter: w, pool: &s.zippers}
		defer z.close()
		next.ServeHTTP(z, r)
	})
}

func acceptsGzip(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		if name == "gzip" {
			q = strings.ReplaceAll(q, " ", "")
			return q != "q=0" && q != "q=0.0" && q != "q=0.00" && q != "q=0.000"
		}
	}
	return false
}

// zipped compresses an answer when its first bytes and its headers say that it is worth it.
type zipped struct {
	http.ResponseWriter
	pool    *sync.Pool   // of *gzip.Writer
	zip     *gzip.Writer // nil while nothing is compressed
	status  int
	decided bool
}

// Unwrap lets http.ResponseController reach the connection.
func (z *zipped) Unwrap() http.ResponseWriter { return z.ResponseWriter }

// WriteHeader waits until it is known whether the answer is compressed.
func (z *zipped) WriteHeader(status int) {
	if status >= 200 && z.status == 0 {
		z.status = status
	}
	if status < 200 || !hasBody(status) {
		z.decide(nil)
	}
}

func hasBody(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

func (z *zipped) decide(first []byte) {
	if z.decided {
		return
	}
	z.decided = true
	h := z.Header()
	if h.Get("Content-Type") == "" && len(first) > 0 {
		h.Set("Content-Type", http.DetectContentType(first))
	}
	kind, _, _ := strings.Cut(h.Get("Content-Type"), ";")
	text := strings.HasPrefix(kind, "text/") && kind != "text/event-stream" || strings.HasSuffix(kind, "json") || strings.HasSuffix(kind, "javascript") ||
		kind == "image/svg+xml"
	if text {
		h.Add("Vary", "Accept-Encoding")
	}
	if text && len(first) >= leastCompressed && h.Get("Content-Encoding") == "" && h.Get("Content-Range") == "" && hasBody(max(z.status, 200)) {
		h.Set("Content-Encoding", "gzip")
		h.Del("Content-Length")
		if tag := h.Get("ETag"); tag != "" && !strings.HasPrefix(tag, "W/") {
			h.Set("ETag", "W/"+tag)
		}
		if z.zip, _ = z.pool.Get().(*gzip.Writer); z.zip == nil {
			z.zip = gzip.NewWriter(nil)
		}
		z.zip.Reset(z.ResponseWriter)
	}
	if z.status != 0 {
		z.ResponseWriter.WriteHeader(z.status)
	}
}

func (z *zipped) Write(p []byte) (int, error) {
	z.decide(p)
	if z.zip != nil {
		return z.zip.Write(p)
	}
	return z.ResponseWriter.Write(p)
}

// FlushError sends what there is: live events do so after each.
func (z *zipped) FlushError() error {
	z.decide(nil)
	var err error
	if z.zip != nil {
		err = z.zip.Flush()
	}
	return errors.Join(err, http.NewResponseController(z.ResponseWriter).Flush())
}

func (z *zipped) close() {
	if z.decide(nil); z.zip != nil {
		z.zip.Close() // a client that has gone away gets no end
		z.pool.Put(z.zip)
	}
}
