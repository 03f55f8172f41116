package daemon

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"osm"
	"osm/check"
	"osm/exim"
	"osm/policy"
)

// metric is one row of what /metrics tells. Labels have few values, whatever a stranger sends: no address, no sender.
type metric struct {
	name   string
	help   string
	kind   prometheus.ValueType // 0: a histogram
	labels []string
	read   func(w *metered, tell teller)
}

// teller takes one value of a metric, with its labels.
type teller struct {
	value func(v float64, labels ...string)
	spans func(sum time.Duration, bounds []time.Duration, counts []uint64, labels ...string)
}

const (
	counter   = prometheus.CounterValue
	gauge     = prometheus.GaugeValue
	histogram = prometheus.ValueType(0)
)

// metrics is the table of all.
func metrics() []metric {
	all := []metric{
		{"osm_build_info", "1, with the version of osm.", gauge, []string{"version"},
			func(w *metered, t teller) { t.value(1, w.version) }},
		{"osm_policy_live", "1 where verdicts are carried out, 0 in shadow.", gauge, nil,
			func(w *metered, t teller) { t.value(truth(w.mode == policy.Live)) }},
	}
	for _, part := range [][]metric{mailMetrics(), sourceMetrics(), decisionMetrics(), checkMetrics(), gatewayMetrics()} {
		all = append(all, part...)
	}
	return all
}

func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// mailMetrics are about what the log tells.
func mailMetrics() []metric {
	return []metric{
		{"osm_lines_total", "Lines of the logs, by what they tell.", counter, []string{"kind"}, func(w *metered, t teller) {
			sums := map[string]uint64{}
			for kind := exim.Unknown; kind <= exim.Continuation; kind++ {
				sums[kind.String()] += w.lines[kind]
			}
			for name, n := range sums {
				t.value(float64(n), name)
			}
		}},
		{"osm_forged_lines_total", "Lines that bear a sign of not being Exim's.", counter, nil,
			func(w *metered, t teller) { t.value(float64(w.track.Forged)) }},
		{"osm_messages_total", "Messages by class and by what was decided.", counter, []string{"class", "action"}, func(w *metered, t teller) {
			for _, class := range append(osm.Classes(), osm.NoClass) {
				for action := osm.Accept; action <= osm.Divert; action++ {
					t.value(float64(w.classes[class].actions[action]), class.String(), action.String())
				}
			}
		}},
		{"osm_recipients_total", "Envelope recipients by class, as far as they are logged.", counter, []string{"class"}, func(w *metered, t teller) {
			for _, class := range osm.Classes() {
				t.value(float64(w.classes[class].recipients), class.String())
			}
		}},
		{"osm_message_bytes_total", "Bytes of messages by class.", counter, []string{"class"}, func(w *metered, t teller) {
			for _, class := range osm.Classes() {
				t.value(float64(w.classes[class].bytes), class.String())
			}
		}},
		{"osm_deliveries_total", "Attempts to deliver, by outcome.", counter, []string{"outcome"}, func(w *metered, t teller) {
			for outcome := osm.Delivered; outcome <= osm.Suppressed; outcome++ {
				t.value(float64(w.outcomes[outcome]), outcome.String())
			}
		}},
		{"osm_refusals_total", "Deferrals and failures, by why the receiver did not take the message.", counter, []string{"kind"},
			func(w *metered, t teller) {
				for _, kind := range osm.Refusals() {
					t.value(float64(w.refusals[kind]), kind.String())
				}
			}},
		{"osm_tracked_messages", "Messages between their arrival and their completion.", gauge, nil,
			func(w *metered, t teller) { t.value(float64(w.track.Live)) }},
		{"osm_tracked_bytes", "Memory that they take, about.", gauge, nil, func(w *metered, t teller) { t.value(float64(w.track.Bytes)) }},
		{"osm_evicted_messages_total", "Messages that were forgotten unfinished, for want of room or because of their age.", counter, nil,
			func(w *metered, t teller) { t.value(float64(w.track.Evicted + w.track.Expired)) }},
	}
}

// sourceMetrics are about the logs and the history.
func sourceMetrics() []metric {
	return []metric{
		{"osm_log_behind_bytes", "Bytes of a log that have not been read yet.", gauge, []string{"log"}, func(w *metered, t teller) {
			for _, l := range w.logs {
				t.value(float64(l.Behind), l.Log)
			}
		}},
		{"osm_log_up", "1 where a log can be read.", gauge, []string{"log"}, func(w *metered, t teller) {
			for _, l := range w.logs {
				t.value(truth(!l.State.Bad()), l.Log)
			}
		}},
		{"osm_log_read_bytes_total", "Bytes of a log that have been read.", counter, []string{"log"}, func(w *metered, t teller) {
			for _, l := range w.logs {
				t.value(float64(l.Bytes), l.Log)
			}
		}},
		{"osm_log_lost_bytes_total", "Bytes of a log that are known to be lost.", counter, []string{"log"}, func(w *metered, t teller) {
			for _, l := range w.logs {
				t.value(float64(l.LostBytes), l.Log)
			}
		}},
		{"osm_store_up", "1 where the history can be written.", gauge, nil, func(w *metered, t teller) { t.value(truth(w.store.Err == nil)) }},
		{"osm_store_bytes", "Size of the history's file.", gauge, nil, func(w *metered, t teller) { t.value(float64(w.store.Size)) }},
		{"osm_store_oldest_timestamp_seconds", "Begin of the oldest day that the history has (Unix time).", gauge, nil, func(w *metered, t teller) {
			if !w.store.Oldest.IsZero() {
				t.value(float64(w.store.Oldest.Unix()))
			}
		}},
		{"osm_store_pending", "Lines, messages, deliveries and events that are not saved yet.", gauge, nil,
			func(w *metered, t teller) { t.value(float64(w.pending)) }},
		{"osm_store_flush_seconds", "How long saving takes.", histogram, nil, func(w *metered, t teller) { w.flushes.tell(t) }},
	}
}

// decisionMetrics are about verdicts and what follows from them.
func decisionMetrics() []metric {
	return []metric{
		{"osm_verdicts_total", "Verdicts by rule, action and way: acted (somebody asked), passive (found in the log), shadow (a rule on trial).",
			counter, []string{"rule", "action", "way"}, func(w *metered, t teller) {
				for k, n := range w.verdicts {
					t.value(float64(n), k.rule, k.action.String(), k.way)
				}
			}},
		{"osm_rule_hits_total", "Messages that a rule of your own has decided about, on trial or not; kept over restarts.", counter,
			[]string{"rule"}, func(w *metered, t teller) {
				hits := map[string]uint64{}
				for _, r := range w.rules {
					hits[r.Name] += r.Hits
				}
				for name, n := range hits {
					t.value(float64(n), name)
				}
			}},
		{"osm_rule_errors_total", "Conditions of rules that failed at run time.", counter, nil,
			func(w *metered, t teller) { t.value(float64(w.ruleErrors)) }},
		{"osm_policy_questions_total", "Questions that mail servers have asked.", counter, nil,
			func(w *metered, t teller) { t.value(float64(w.asked)) }},
		{"osm_policy_failures_total", "Questions that were not answered by a decision: overload, malformed, or of a user that may not ask.", counter,
			[]string{"why"}, func(w *metered, t teller) {
				t.value(float64(w.overload), "overload")
				t.value(float64(w.malformed), "malformed")
				t.value(float64(w.stranger), "user")
			}},
		{"osm_policy_seconds", "How long a decision takes, with the checks.", histogram, nil, func(w *metered, t teller) { w.questions.tell(t) }},
		{"osm_list_entries", "Entries of the lists.", gauge, []string{"list"}, func(w *metered, t teller) {
			t.value(float64(w.blocked), "block")
			t.value(float64(w.allowed), "allow")
		}},
		{"osm_incidents", "Incidents that are not over.", gauge, nil, func(w *metered, t teller) { t.value(float64(w.incidents)) }},
		{"osm_held_messages", "Messages that are held.", gauge, nil, func(w *metered, t teller) { t.value(float64(w.held)) }},
		{"osm_suspensions", "Suspensions that are in force or on their way.", gauge, nil, func(w *metered, t teller) { t.value(float64(w.suspended)) }},
		{"osm_alerts_total", "Tries to deliver an alert, by how they ended.", counter, []string{"result"}, func(w *metered, t teller) {
			t.value(float64(w.alertsSent), "delivered")
			t.value(float64(w.alertsFailed), "failed")
		}},
		{"osm_alerts_waiting", "Alerts that have not been delivered yet.", gauge, nil, func(w *metered, t teller) { t.value(float64(w.alertsWaiting)) }},
	}
}

// checkMetrics are about outside opinions.
func checkMetrics() []metric {
	each := func(read func(*check.Stat) float64) func(*metered, teller) {
		return func(w *metered, t teller) {
			for i := range w.checks.Checks {
				t.value(read(&w.checks.Checks[i]), w.checks.Checks[i].Name)
			}
		}
	}
	name := []string{"check"}
	return []metric{
		{"osm_check_questions_total", "Questions to a check.", counter, name, each(func(s *check.Stat) float64 { return float64(s.Asked) })},
		{"osm_check_remembered_total", "Questions that were answered from memory.", counter, name, each(func(s *check.Stat) float64 { return float64(s.Cached) })},
		{"osm_check_failures_total", "Questions that got no answer.", counter, name, each(func(s *check.Stat) float64 { return float64(s.Failed) })},
		{"osm_check_passed_total", "Questions that were not asked, as the check has failed often or no more are allowed.", counter, name,
			each(func(s *check.Stat) float64 { return float64(s.Passed) })},
		{"osm_check_slow_total", "Answers that took more than half of their deadline.", counter, name, each(func(s *check.Stat) float64 { return float64(s.Slow) })},
		{"osm_check_up", "0 where a check is not asked for a while because it has failed often.", gauge, name,
			each(func(s *check.Stat) float64 { return truth(!s.Open) })},
		{"osm_check_seconds", "How long a check takes.", histogram, name, func(w *metered, t teller) {
			for _, s := range w.checks.Checks {
				t.spans(0, check.Buckets[:], s.Latency, s.Name)
			}
		}},
	}
}

// gatewayMetrics are about the SMTP gateway.
func gatewayMetrics() []metric {
	kinds := []struct {
		name, help string
		read       func(*gatewayMeter) uint64
	}{
		{"connections", "Connections to the gateway.", func(g *gatewayMeter) uint64 { return g.connections }},
		{"turned_away", "Connections that the gateway refused.", func(g *gatewayMeter) uint64 { return g.turned }},
		{"messages", "Messages that the gateway passed on.", func(g *gatewayMeter) uint64 { return g.messages }},
		{"refusals", "Verdicts that the gateway spoke.", func(g *gatewayMeter) uint64 { return g.refusals }},
		{"held", "Messages that the gateway held.", func(g *gatewayMeter) uint64 { return g.held }},
		{"discarded", "Messages that the gateway threw away.", func(g *gatewayMeter) uint64 { return g.discarded }},
		{"smuggling", "Messages refused by the gateway for bare line ends or NUL.", func(g *gatewayMeter) uint64 { return g.smuggling }},
		{"slowed", "Answers that the gateway gave late.", func(g *gatewayMeter) uint64 { return g.slowed }},
	}
	all := make([]metric, len(kinds))
	for i, k := range kinds {
		all[i] = metric{"osm_gateway_" + k.name + "_total", k.help, counter, nil, func(w *metered, t teller) {
			if w.gateway != nil {
				t.value(float64(k.read(w.gateway)))
			}
		}}
	}
	return all
}
