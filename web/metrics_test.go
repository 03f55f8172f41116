package web

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"osm/access"
	"osm/incident"
)

// TestMetricsAreForFew: programs on the server read them, others need the right, and a proxy on the server is nobody special.
func TestMetricsAreForFew(t *testing.T) {
	all := prometheus.NewRegistry()
	all.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "osm_test"}, func() float64 { return 7 }))
	admin, customer := &Viewer{Role: access.Admin, Via: ViaToken}, &Viewer{Role: access.Customer, Via: ViaSession}
	limited := &Viewer{Role: access.Admin, Via: ViaToken, Limits: []Right{SeeLists}}
	scope := &Viewer{Role: access.Admin, Via: ViaToken, Limits: []Right{SeeMetrics}}
	for _, c := range []struct {
		setting, from, header string
		viewer                *Viewer
		want                  int
	}{
		{MetricsLocal, "127.0.0.1:5", "", nil, 200},
		{MetricsLocal, "[::1]:5", "", nil, 200},
		{MetricsLocal, "192.0.2.1:5", "", nil, 303},
		{MetricsLocal, "127.0.0.1:5", "X-Forwarded-For", nil, 303},
		{MetricsLocal, "127.0.0.1:5", "Forwarded", nil, 303},
		{MetricsLocal, "192.0.2.1:5", "", admin, 200},
		{MetricsLocal, "192.0.2.1:5", "", scope, 200},
		{MetricsLocal, "192.0.2.1:5", "", limited, 403},
		{MetricsLocal, "192.0.2.1:5", "", customer, 403},
		{MetricsToken, "127.0.0.1:5", "", nil, 303},
		{MetricsToken, "127.0.0.1:5", "", scope, 200},
		{MetricsOff, "127.0.0.1:5", "", admin, 404},
	} {
		drawn, err := newPages("", time.Now, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		s := &Server{o: Options{Config: Config{Metrics: c.setting}, Metrics: all, Now: time.Now, Zone: time.UTC,
			Incidents: func(access.Scope) []incident.Incident { return nil }, Held: func(HeldQuery) (*Held, error) { return &Held{}, nil }}, mux: http.NewServeMux(), pages: drawn}
		if err := s.addMetrics(); err != nil {
			t.Fatal(err)
		}
		r := httptest.NewRequest(http.MethodGet, "/metrics", nil)
		if r.RemoteAddr = c.from; c.header != "" {
			r.Header.Set(c.header, "for=192.0.2.1")
		}
		if c.viewer != nil {
			r = r.WithContext(withViewer(r.Context(), c.viewer))
		}
		w := httptest.NewRecorder()
		s.mux.ServeHTTP(w, r)
		if w.Code != c.want || (c.want == 200) != strings.Contains(w.Body.String(), "osm_test 7") {
			t.Errorf("%+v: %d %s", c, w.Code, w.Body)
		}
	}
}
