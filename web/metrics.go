package web

import (
	"net/http"
	"net/netip"

	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Who may read /metrics.
const (
	MetricsLocal = "local" // programs on this machine, and whoever has the right
	MetricsToken = "token" // whoever has the right
	MetricsOff   = "off"
)

const mostScrapes = 3 // at once

// addMetrics registers what Prometheus reads. It stands outside of the API, where Prometheus looks for it.
func (s *Server) addMetrics() error {
	if s.o.Metrics == nil || s.o.Config.Metrics == MetricsOff {
		return nil
	}
	h := promhttp.HandlerFor(s.o.Metrics, promhttp.HandlerOpts{DisableCompression: true, MaxRequestsInFlight: mostScrapes})
	s.routes = append(s.routes, Route{http.MethodGet, "/metrics", SeeMetrics})
	s.mux.HandleFunc("GET /metrics", func(w http.ResponseWriter, r *http.Request) {
		if s.o.Config.Metrics == MetricsLocal && fromHere(r) || s.admit(w, r, SeeMetrics) {
			h.ServeHTTP(w, r)
		}
	})
	return nil
}

// fromHere tells whether a request comes straight from this machine: what a reverse proxy on it passes on bears a mark.
func fromHere(r *http.Request) bool {
	for _, mark := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-Ip", "Via"} {
		if r.Header.Get(mark) != "" {
			return false
		}
	}
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	return err == nil && at.Addr().Unmap().IsLoopback()
}
