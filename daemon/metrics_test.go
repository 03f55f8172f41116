package daemon

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"osm"
	"osm/check"
	"osm/config"
	"osm/gateway"
	"osm/policy"
	"osm/tail"
	"osm/web"
)

var update = flag.Bool("update", false, "write the generated files anew")

// metricsSession is a session in which everything that is metered is in use.
func metricsSession(t *testing.T) *session {
	t.Helper()
	s := ruleSession(t, map[string]string{"osm.toml": string(config.RulesText([]policy.Rule{limitOf("a rule \xe2\x82\xac", 1)}))})
	s.gate.Store(&gateway.Stats{})
	s.asks.Store(&policy.ServerStats{})
	cfg := check.DefaultConfig()
	cfg.DNSBL.Enabled = true
	s.openChecks(cfg)
	log := writeFile(t, t.TempDir(), "mainlog", "")
	follower, err := tail.Follow(tail.Options{Paths: []string{log}, Config: s.cfg.Tail, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { follower.Close() })
	s.follower = follower
	return s
}

// scraped gathers as /metrics does: every sample by its name and labels.
func scraped(t *testing.T, s *session) (samples map[string]float64, names map[string]bool) {
	t.Helper()
	all, err := s.gatherer()
	if err != nil {
		t.Fatal(err)
	}
	families, err := all.Gather()
	if err != nil {
		t.Fatal(err)
	}
	samples, names = map[string]float64{}, map[string]bool{}
	for _, f := range families {
		names[f.GetName()] = true
		for _, m := range f.GetMetric() {
			key := f.GetName()
			for _, l := range m.GetLabel() {
				key += fmt.Sprintf(" %s=%s", l.GetName(), l.GetValue())
			}
			samples[key] = m.GetCounter().GetValue() + m.GetGauge().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	problems, err := promlint.NewWithMetricFamilies(families).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "osm_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
	return samples, names
}

// TestMetricsTellWhatHappened with the names of the page.
func TestMetricsTellWhatHappened(t *testing.T) {
	s := metricsSession(t)
	at := time.Now().UTC().Add(-time.Minute)
	stamp := at.Format("2006-01-02 15:04:05")
	var log strings.Builder
	for n := range 3 {
		id := messageID(at, n)
		fmt.Fprintf(&log, "%s %s <= bob@here.example H=(x) [192.0.2.1] P=esmtpsa A=plain:bob@here.example S=500 for x@far.example\n", stamp, id)
	}
	fmt.Fprintf(&log, "%s %s => x@far.example R=dnslookup T=remote_smtp H=mx [198.51.100.1] C=\"250 OK\"\n", stamp, messageID(at, 0))
	fmt.Fprintf(&log, "%s %s ** x@far.example R=dnslookup T=remote_smtp H=mx [198.51.100.1]: SMTP error from remote mail server after RCPT TO:<x@far.example>: 550 5.1.1 no such user\n",
		stamp, messageID(at, 1))
	s.feed(t, log.String()+"what is this\n")
	s.meter.questions.add(3 * time.Millisecond)
	s.meter.questions.add(time.Hour)
	if _, err := s.order(web.Order{What: policy.Block, Key: osm.Key{Kind: osm.KeyLogin, Value: "x"}}, "root", at); err != nil {
		t.Fatal(err)
	}
	got, names := scraped(t, s)
	for name, want := range map[string]float64{
		"osm_messages_total action=accept class=login":                  1,
		"osm_messages_total action=hold class=login":                    2,
		"osm_messages_total action=accept class=script":                 0,
		"osm_recipients_total class=login":                              3,
		"osm_message_bytes_total class=login":                           1500,
		"osm_deliveries_total outcome=delivered":                        1,
		"osm_deliveries_total outcome=failed":                           1,
		"osm_refusals_total kind=no-such-user":                          1,
		"osm_lines_total kind=arrival":                                  3,
		"osm_lines_total kind=unknown":                                  1,
		"osm_verdicts_total action=hold rule=a rule \u20ac way=passive": 2,
		"osm_rule_hits_total rule=a rule \u20ac":                        2,
		"osm_policy_seconds":                                            2,
		"osm_list_entries list=block":                                   1,
		"osm_store_up":                                                  1,
		"osm_policy_live":                                               1,
		"osm_gateway_messages_total":                                    0,
		"osm_incidents":                                                 1,
	} {
		if v, there := got[name]; !there || v != want {
			t.Errorf("%s is %v (there: %t), want %v", name, v, there, want)
		}
	}
	if got["osm_store_flush_seconds"] < 1 {
		t.Error("no flush was timed")
	}
	for _, m := range metrics() {
		if !names[m.name] {
			t.Errorf("%s is in the table and is not told", m.name)
		}
	}
}

// TestLabelsAreBounded: strangers choose no label's value, and rules without number become one.
func TestLabelsAreBounded(t *testing.T) {
	s := metricsSession(t)
	before, _ := scraped(t, s)
	for n := range 3 * mostVerdicts {
		m := suspicious(n, time.Now(), osm.Hold)
		m.Sender, m.Login, m.Helo, m.Subject = fmt.Sprintf("evil%d@x.example", n), fmt.Sprintf("evil%d", n), "evil", "evil"
		m.Verdict.Key.Value, m.Verdict.Rule = "evil", fmt.Sprintf("rule%d", n)
		s.engine.Sink.Arrival(m)
	}
	after, _ := scraped(t, s)
	if len(after) > len(before)+mostVerdicts+1 {
		t.Errorf("%d samples, %d before", len(after), len(before))
	}
	for name := range after {
		if strings.Contains(name, "evil") {
			t.Fatalf("a stranger's word in %s", name)
		}
	}
	if after["osm_verdicts_total action=hold rule=other way=acted"] != 2*mostVerdicts {
		t.Errorf("%v of other rules", after["osm_verdicts_total action=hold rule=other way=acted"])
	}
}

func TestGeneratedMetricsPage(t *testing.T) {
	var page bytes.Buffer
	if err := WriteMetrics(&page); err != nil {
		t.Fatal(err)
	}
	const name = "../doc/metrics.md"
	if *update {
		if err := os.WriteFile(name, page.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(name)
	if err != nil || !bytes.Equal(have, page.Bytes()) {
		t.Errorf("%s is not what the table says (%v): \"make doc\" writes it anew", name, err)
	}
}

// TestDashboardAsksForWhatThereIs: every query of the Grafana file names metrics and labels that are told.
func TestDashboardAsksForWhatThereIs(t *testing.T) {
	text, err := os.ReadFile("../packaging/grafana/osm.json")
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Panels []struct {
			Title, Description, Type string
			Targets                  []struct{ Expr, LegendFormat string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{}
	for _, m := range metrics() {
		labels[m.name] = " " + strings.Join(m.labels, " ") + " instance job "
		if m.kind == histogram {
			for _, part := range []string{"_bucket", "_sum", "_count"} {
				labels[m.name+part] = labels[m.name] + "le "
			}
			delete(labels, m.name)
		}
	}
	for _, name := range []string{"process_resident_memory_bytes", "process_cpu_seconds_total", "go_memstats_heap_inuse_bytes"} {
		labels[name] = " instance job "
	}
	word, selector := regexp.MustCompile(`\b(osm|process|go)_[a-z_]+`), regexp.MustCompile(`([a-z]+)(=~|=|!=|!~)"`)
	used := map[string]bool{}
	for _, p := range board.Panels {
		if p.Type != "row" && (p.Title == "" || p.Description == "" || len(p.Targets) == 0) {
			t.Errorf("panel %q says nothing", p.Title)
		}
		for _, q := range p.Targets {
			found := word.FindAllString(q.Expr, -1)
			if len(found) != 1 || labels[found[0]] == "" {
				t.Errorf("%s: %s: no such metric", p.Title, q.Expr)
				continue
			}
			used[found[0]] = true
			asked := selector.FindAllStringSubmatch(q.Expr, -1)
			for _, by := range regexp.MustCompile(`by \(([a-z, ]+)\)`).FindAllStringSubmatch(q.Expr, -1) {
				for l := range strings.SplitSeq(by[1], ", ") {
					asked = append(asked, []string{"", l})
				}
			}
			asked = append(asked, regexp.MustCompile(`{{([a-z]+)}}`).FindAllStringSubmatch(q.LegendFormat, -1)...)
			for _, l := range asked {
				if !strings.Contains(labels[found[0]], " "+l[1]+" ") {
					t.Errorf("%s: %s: %s has no label %s", p.Title, q.Expr, found[0], l[1])
				}
			}
		}
	}
	if len(used) < 20 {
		t.Errorf("only %d metrics are shown", len(used))
	}
}
