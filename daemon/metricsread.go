package daemon

import (
	"context"
	"fmt"
	"io"
	"maps"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"osm/check"
	"osm/policy"
	"osm/store"
	"osm/tail"
	"osm/track"
)

// metered is everything that /metrics tells, at one moment.
type metered struct {
	version  string
	mode     policy.Mode
	lines    [mostOfKind]uint64
	classes  [mostOfKind]classMeter
	outcomes [mostOfKind]uint64
	refusals [mostOfKind]uint64
	verdicts map[verdictKind]uint64
	track    track.Stats
	logs     []tail.Status
	store    store.Health
	pending  int64

	flushes, questions            *spans
	rules                         []policy.RuleStats
	ruleErrors                    uint64
	asked                         uint64
	overload, malformed, stranger uint64
	blocked, allowed              int
	incidents, held, suspended    int
	alertsSent, alertsFailed      uint64
	alertsWaiting                 int
	checks                        check.Stats
	gateway                       *gatewayMeter
}

// gatewayMeter is what the gateway has counted.
type gatewayMeter struct{ connections, turned, messages, refusals, held, discarded, smuggling, slowed uint64 }

// metricsWithin is how long the history may take to tell its size.
const metricsWithin = 2 * time.Second

// metered gathers everything. The engine waits for as long as it takes to copy some numbers.
func (s *session) metered() *metered {
	ctx, cancel := context.WithTimeout(context.Background(), metricsWithin)
	defer cancel()
	w := &metered{version: s.options.Version, store: s.store.Health(ctx), pending: s.meter.pending.Load(), flushes: &s.meter.flushes,
		questions: &s.meter.questions, alertsSent: s.alarm.sent.Load(), alertsFailed: s.alarm.failed.Load()}
	if s.follower != nil {
		w.logs = s.follower.Status()
	}
	if checks := s.checks.Load(); checks.Used() {
		w.checks = checks.Stats()
	}
	if g := s.gate.Load(); g != nil {
		w.gateway = &gatewayMeter{g.Connections.Load(), g.Turned.Load(), g.Messages.Load(), g.Refusals.Load(), g.Held.Load(), g.Discarded.Load(),
			g.Smuggling.Load(), g.Slowed.Load()}
	}
	if p := s.asks.Load(); p != nil {
		w.asked, w.overload, w.malformed, w.stranger = p.Asked.Load(), p.Overload.Load(), p.Malformed.Load(), p.Refused.Load()
	}
	for _, l := range s.alarm.outbox.Letters() {
		if l.Sent.IsZero() && !l.GivenUp {
			w.alertsWaiting++
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.meter
	w.mode, w.lines, w.classes, w.outcomes, w.refusals, w.verdicts = s.cfg.Policy.Mode, m.lines, m.classes, m.outcomes, m.refusals, maps.Clone(m.verdicts)
	w.track, w.rules, w.ruleErrors = s.engine.Track.Stats(), s.engine.Policy.RuleStats(), s.engine.Policy.Stats().Errors
	w.held, _, _ = s.holds.book.Size()
	w.suspended = len(s.stops.book.All())
	w.blocked, w.allowed = s.ledger.Size()
	for _, i := range s.alarm.book.All() {
		if i.Live() {
			w.incidents++
		}
	}
	return w
}

// Collect tells Prometheus. It is what makes a session a prometheus.Collector.
func (s *session) Collect(to chan<- prometheus.Metric) {
	w := s.metered()
	for _, m := range metrics() {
		desc := prometheus.NewDesc(m.name, m.help, m.labels, nil)
		m.read(w, teller{
			value: func(v float64, labels ...string) {
				to <- prometheus.MustNewConstMetric(desc, m.kind, v, printableLabels(labels)...)
			},
			spans: func(sum time.Duration, bounds []time.Duration, counts []uint64, labels ...string) {
				below, total := map[float64]uint64{}, uint64(0)
				for i, n := range counts {
					if total += n; i < len(bounds) {
						below[bounds[i].Seconds()] = total
					}
				}
				to <- prometheus.MustNewConstHistogram(desc, total, sum.Seconds(), below, printableLabels(labels)...)
			},
		})
	}
}

// Describe tells nothing, as the collectors of a registry may: what there is is known when it is read.
func (s *session) Describe(chan<- *prometheus.Desc) {}

// printableLabels are labels that Prometheus takes: a rule's name may be anything.
func printableLabels(labels []string) []string {
	for i, l := range labels {
		labels[i] = strings.ToValidUTF8(l, "\uFFFD")
	}
	return labels
}

func (s *spans) tell(t teller) {
	counts := make([]uint64, len(s.counts))
	for i := range s.counts {
		counts[i] = s.counts[i].Load()
	}
	t.spans(time.Duration(s.sum.Load()), spanBounds[:], counts)
}

// gatherer is what /metrics reads: osm's own metrics, and those of the process.
func (s *session) gatherer() (prometheus.Gatherer, error) {
	all := prometheus.NewRegistry()
	for _, c := range []prometheus.Collector{s, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{})} {
		if err := all.Register(c); err != nil {
			return nil, fmt.Errorf("make the metrics ready: %w", err)
		}
	}
	return all, nil
}

// WriteMetrics writes the list of all metrics as a page in Markdown.
func WriteMetrics(w io.Writer) error {
	var b strings.Builder
	b.WriteString(metricsHead)
	for _, m := range metrics() {
		kind := "histogram"
		switch m.kind {
		case counter:
			kind = "counter"
		case gauge:
			kind = "gauge"
		}
		labels := strings.Join(m.labels, ", ")
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.name, kind, labels, m.help)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

const metricsHead = `# Metrics

osm tells Prometheus what it has counted at ` + "`/metrics`" + ` on the address of its pages (` + "`web.listen`, with `web.base_path` before it" + `).
Programs on the server itself may read it there without a password, others with a token that has the scope ` + "`metrics`" + `:

    osm user token prometheus --scope metrics
    curl -H 'Authorization: Bearer osm_...' https://mail.example.org/metrics

` + "`web.metrics`" + ` says who may: ` + "`local`" + ` (the default) is as above, ` + "`token`" + ` takes a token from everybody, ` + "`off`" + ` is none.
What a reverse proxy passes on is never local. A Prometheus on the same server needs no more than

    scrape_configs:
      - job_name: osm
        static_configs:
          - targets: ["127.0.0.1:8025"]

` + "`packaging/grafana/osm.json`" + ` (in the package: ` + "`/usr/share/doc/osm/grafana/osm.json`" + `) is a dashboard for Grafana that shows them.

No label holds an address, a sender or anything else that a stranger can make up: their values are few, and named by osm or by you.
Counters begin at 0 when osm is started, unless it is said otherwise. Besides these there are those of the process and of Go
(` + "`process_*`, `go_*`" + `). A metric of something that is not in use (a check, the gateway) is not there.

| metric | kind | labels | meaning |
|---|---|---|---|
`
