package sim

import (
	"math"
	"os"
	"testing"
	"time"
)

// figures describe how people write.
type figures struct{ weekend, night, single, replies float64 }

type writing struct{ all, weekend, night, single, replies int }

func (w *writing) add(at time.Time, recipients int, subject string) {
	w.all++
	if d := at.Weekday(); d == time.Saturday || d == time.Sunday {
		w.weekend++
	}
	if at.Hour() < 6 {
		w.night++
	}
	if recipients == 1 {
		w.single++
	}
	if len(subject) > 3 && (subject[:3] == "Re:" || subject[:3] == "RE:") {
		w.replies++
	}
}

func (w *writing) figures() figures {
	n := float64(w.all)
	return figures{float64(w.weekend) / n, float64(w.night) / n, float64(w.single) / n, float64(w.replies) / n}
}

// TestModelWritesLikeRealPeople compares the model with the histories it was fitted to.
func TestModelWritesLikeRealPeople(t *testing.T) {
	if _, err := os.Stat(enronFolder); err != nil {
		t.Skipf("the real histories are not here: %v", err)
	}
	var real, model writing
	for _, f := range []Family{Build, Held} {
		for _, h := range readHistories(enronFolder, f) {
			for _, l := range h {
				real.add(time.Unix(l.at, 0).UTC(), len(l.to), l.subject)
			}
		}
		for seed := range uint64(2) {
			watch(New(Config{Seed: seed, Family: f, Accounts: 15, Days: 28, None: true}), func(ev *Event) {
				if ev.Kind == Arrival && ev.Label.Kind == "person" {
					model.add(ev.Time, len(ev.Message.Recipients), ev.Message.Subject)
				}
			})
		}
	}
	a, b := real.figures(), model.figures()
	for _, c := range []struct {
		name       string
		a, b, room float64
	}{{"weekends", a.weekend, b.weekend, 0.04}, {"nights", a.night, b.night, 0.06},
		{"single recipients", a.single, b.single, 0.08},
		{"replies", a.replies, b.replies, 0.12}} {
		if math.Abs(c.a-c.b) > c.room {
			t.Errorf("%s: %.3f of the real messages, %.3f of the model's", c.name, c.a, c.b)
		}
	}
}

// TestPeopleMeetFewStrangers: after the learning period most of a person's recipients are ones he has written to
// before.
func TestPeopleMeetFewStrangers(t *testing.T) {
	for _, f := range []Family{Build, Held} {
		for _, enron := range []string{"", enronFolder} {
			w := New(Config{Seed: 11, Family: f, Accounts: 20, Days: 28, None: true, Enron: enron})
			seen := map[string]bool{}
			var all, fresh, sent int
			watch(w, func(ev *Event) {
				if ev.Kind != Arrival || ev.Label.Kind != "person" {
					return
				}
				late := ev.Time.Sub(w.Config.Start) > 14*24*time.Hour
				if late {
					sent++
				}
				for _, r := range ev.Message.Recipients {
					key := ev.Message.Login + " " + r
					if late {
						if all++; !seen[key] {
							fresh++
						}
					}
					seen[key] = true
				}
			})
			if share := float64(fresh) / float64(all); share < 0.05 || share > 0.45 {
				t.Errorf("%v, histories %q: %.2f of the recipients are new", f, enron, share)
			}
			people := 0
			for _, s := range w.Senders {
				if s.Kind == "person" {
					people++
				}
			}
			if rate := float64(sent) / float64(people) / 14; rate < 0.5 || rate > 12 {
				t.Errorf("%v, histories %q: %.1f messages a day and person", f, enron, rate)
			}
		}
	}
}

// TestShopsAreBursty: on its best day a shop sends several times its usual number, mostly to people it never mailed.
func TestShopsAreBursty(t *testing.T) {
	days, fresh, all := map[int]map[int]int{}, 0, 0
	seen := map[string]bool{}
	w := New(Config{Seed: 2, Accounts: 40, Days: 35, None: true})
	watch(w, func(ev *Event) {
		if ev.Kind != Arrival || ev.Label.Kind != "shop" {
			return
		}
		if days[ev.Label.Sender] == nil {
			days[ev.Label.Sender] = map[int]int{}
		}
		days[ev.Label.Sender][int(ev.Time.Sub(w.Config.Start)/(24*time.Hour))]++
		r := ev.Message.Recipients[0]
		if all++; !seen[r] {
			fresh++
		}
		seen[r] = true
	})
	burst := 0.0
	for _, d := range days {
		most, sum := 0, 0
		for _, n := range d {
			most, sum = max(most, n), sum+n
		}
		burst = max(burst, float64(most)/(float64(sum)/35))
	}
	if burst < 3 {
		t.Errorf("the busiest day of any shop is %.1f times its mean", burst)
	}
	if share := float64(fresh) / float64(all); share < 0.25 {
		t.Errorf("%.2f of the shops' recipients are new", share)
	}
}

func BenchmarkWorld(b *testing.B) {
	events := 0
	for b.Loop() {
		watch(New(Config{Seed: 1, Accounts: 40, Days: 28}), func(*Event) { events++ })
	}
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
}
