package sim

import (
	"fmt"
	"hash/fnv"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"osm"
)

const enronFolder = "../../shared/data/enron"

// small is a world that is drawn and run in a fraction of a second.
func small(seed uint64, family Family) Config {
	return Config{Seed: seed, Family: family, Hard: true, Accounts: 14, Days: 21, Volume: 0.1, Kinds: Kinds(true, true)}
}

// watch runs a world, everything accepted, and shows every event.
func watch(w *World, see func(ev *Event)) {
	w.Run(func(ev *Event) osm.Action {
		see(ev)
		return osm.Accept
	})
}

// fingerprint is a hash of everything that happens.
func fingerprint(w *World) uint64 {
	h := fnv.New64a()
	n := 0
	watch(w, func(ev *Event) {
		n++
		fmt.Fprintln(h, ev.Kind, ev.Time.UnixNano(), ev.Label.ID, ev.Label.Sender, ev.Recipients)
		if ev.Message != nil && n%10 == 0 { // all of it would take seconds
			fmt.Fprintln(h, *ev.Message, ev.Delivery != nil && ev.Delivery.Outcome == osm.Failed)
		}
	})
	return h.Sum64()
}

func TestSameSeedSameWorld(t *testing.T) {
	for _, f := range []Family{Build, Held} {
		w := New(small(5, f))
		first := fingerprint(w)
		if again := fingerprint(w); again != first {
			t.Errorf("%v: a second run of a world differs", f)
		}
		if again := fingerprint(New(small(5, f))); again != first {
			t.Errorf("%v: the same seed draws another world", f)
		}
		if other := fingerprint(New(small(6, f))); other == first {
			t.Errorf("%v: another seed draws the same world", f)
		}
	}
}

// TestCampaignsLeaveOthersAlone: a world with and without campaigns has the same ordinary mail, or a comparison of the
// two would say nothing.
func TestCampaignsLeaveOthersAlone(t *testing.T) {
	planned := func(cfg Config) (n int, sum uint64) {
		for _, s := range New(cfg).sends {
			if s.campaign == 0 {
				n++
				sum += hashOf(fmt.Sprint(s.at, s.sender, s.subject, s.to))
			}
		}
		return n, sum
	}
	cfg := small(8, Build)
	cfg.Kinds = []string{"stolen-login", "botnet", "herd"}
	with, withSum := planned(cfg)
	cfg.None = true
	without, withoutSum := planned(cfg)
	if with != without || withSum != withoutSum {
		t.Errorf("%d ordinary messages with campaigns, %d without, or other ones", with, without)
	}
}

func TestEventsAreInOrder(t *testing.T) {
	w := New(small(1, Build))
	var last time.Time
	open := map[*osm.Message]bool{}
	watch(w, func(ev *Event) {
		at := ev.Time.Truncate(time.Millisecond) // a message's time is that of its line
		if at.Before(last) {
			t.Fatalf("%v %v comes after %v", ev.Kind, ev.Time, last)
		}
		last = at
		switch ev.Kind {
		case Arrival:
			if open[ev.Message] = true; ev.Message.Time != ev.Time || ev.Recipients == 0 {
				t.Fatalf("arrival at %v of a message of %v with %d recipients", ev.Time, ev.Message.Time, ev.Recipients)
			}
		case Delivery:
			if !open[ev.Message] {
				t.Fatalf("delivery of %s before its arrival or after its end", ev.Message.ID)
			}
		case Completed:
			delete(open, ev.Message)
		}
	})
	if len(open) > 0 {
		t.Errorf("%d messages never left the queue", len(open))
	}
}

func TestMessageIDs(t *testing.T) {
	for _, long := range []bool{false, true} {
		form := regexp.MustCompile(`^[0-9A-Za-z]{6}-[0-9A-Za-z]{6}-[0-9A-Za-z]{2}$`)
		if long {
			form = regexp.MustCompile(`^[0-9A-Za-z]{6}-[0-9A-Za-z]{11}-[0-9A-Za-z]{4}$`)
		}
		cfg := small(2, Build)
		cfg.LongIDs = long
		seen := map[string]bool{}
		watch(New(cfg), func(ev *Event) {
			if ev.Kind != Arrival {
				return
			}
			id := ev.Message.ID
			if !form.MatchString(id) || seen[id] {
				t.Fatalf("id %q is malformed or used twice", id)
			}
			seen[id] = true
			var seconds int64
			for _, c := range id[:6] {
				seconds = seconds*62 + int64(strings.IndexRune(base62, c))
			}
			if seconds != ev.Time.Unix() {
				t.Fatalf("id %q says %d, the message came at %d", id, seconds, ev.Time.Unix())
			}
		})
	}
}

func TestEveryKindIsThere(t *testing.T) {
	for _, f := range []Family{Build, Held} {
		w := New(small(3, f))
		counts, messages := map[string]int{}, map[int]int{}
		watch(w, func(ev *Event) {
			if ev.Kind != Arrival {
				return
			}
			counts[ev.Label.Kind] += ev.Recipients
			messages[ev.Label.ID]++
			spam, wanted := ev.Label.Campaign != "", ev.Label.Wanted()
			if spam != (ev.Label.ID > 0) || (spam && wanted) || (ev.Label.Apart && (spam || wanted)) {
				t.Fatalf("label %+v is not exactly one of spam, wanted and apart", ev.Label)
			}
		})
		for i, c := range w.Campaigns {
			if c.Messages == 0 || counts[c.Kind] != c.Recipients || messages[i+1] != c.Messages {
				t.Errorf("%v %s: %d recipients in %d messages announced, %d in %d sent", f, c.Kind, c.Recipients, c.Messages,
					counts[c.Kind], messages[i+1])
			}
			// A spammer tries a login or an account before he begins.
			if c.Start.Before(w.Config.Start.AddDate(0, 0, w.Config.Learn).Add(-3*time.Hour)) && c.Kind != "fresh-account" {
				t.Errorf("%v %s begins at %v, before the learning period is over", f, c.Kind, c.Start)
			}
		}
		for _, k := range slices.Concat(Kinds(true, true), []string{"person", "shop", "newsletter", "invoices", "forwarded",
			"forwarded-spam", "list", "monitor", "signup", "form", "cron", "bounce", "inbound", "agency", "first-newsletter",
			"new-signup", "moved-site", "app", "traveller", "new-device"}) {
			if counts[k] == 0 {
				t.Errorf("%v: no %s", f, k)
			}
		}
	}
}

// TestStoppedMailHasNoConsequences: what a judge does not accept is neither delivered nor bounced, and receivers who
// never saw a campaign do not begin to refuse the server's other mail.
func TestStoppedMailHasNoConsequences(t *testing.T) {
	w := New(Config{Seed: 4, Accounts: 20, Days: 21, Kinds: []string{"uploads-script", "localhost"}})
	play := func(stop bool) (spam, bounces, refused int) {
		w.Run(func(ev *Event) osm.Action {
			switch {
			case ev.Kind == Delivery && ev.Label.ID > 0:
				spam++
			case ev.Kind == Delivery && ev.Label.Wanted() &&
				(ev.Delivery.Refusal == osm.Spam || ev.Delivery.Refusal == osm.Listed):
				refused++
			case ev.Kind == Arrival && ev.Label.Kind == "bounce":
				bounces++
			case ev.Kind == Arrival && ev.Label.ID > 0 && stop:
				return osm.Reject
			}
			return osm.Accept
		})
		return spam, bounces, refused
	}
	spam, bounces, refused := play(false)
	spamStopped, bouncesStopped, refusedStopped := play(true)
	if spam == 0 || spamStopped != 0 {
		t.Errorf("%d deliveries of spam, %d of stopped spam", spam, spamStopped)
	}
	if bouncesStopped >= bounces || refusedStopped >= refused {
		t.Errorf("stopping spam leaves %d of %d bounces and %d of %d refusals of wanted mail", bouncesStopped, bounces,
			refusedStopped, refused)
	}
}

// TestReceiversLearn: the answers to a campaign get worse as it goes on.
func TestReceiversLearn(t *testing.T) {
	var early, late, earlyAll, lateAll int
	for seed := range uint64(6) {
		w := New(Config{Seed: seed, Accounts: 20, Days: 21, Kinds: []string{"uploads-script", "stolen-login"}})
		done := map[int]int{}
		watch(w, func(ev *Event) {
			if ev.Kind != Delivery || ev.Label.ID == 0 {
				return
			}
			n, bad := done[ev.Label.ID], 0
			done[ev.Label.ID]++
			if r := ev.Delivery.Refusal; r == osm.Spam || r == osm.Listed || r == osm.RateLimited {
				bad = 1
			}
			if n < 20 {
				early, earlyAll = early+bad, earlyAll+1
			} else if n > w.Campaigns[ev.Label.ID-1].Recipients/2 {
				late, lateAll = late+bad, lateAll+1
			}
		})
	}
	if early*lateAll >= late*earlyAll/2 {
		t.Errorf("refused as spam: %d of %d at the beginning, %d of %d later", early, earlyAll, late, lateAll)
	}
}

// TestFamiliesShareNothing: what was learned from one family's names, networks and people is no help in the other.
func TestFamiliesShareNothing(t *testing.T) {
	nets, domains := [2]map[string]bool{{}, {}}, [2]map[string]bool{{}, {}}
	for _, f := range []Family{Build, Held} {
		for seed := range uint64(4) {
			watch(New(small(seed, f)), func(ev *Event) {
				if ev.Kind != Arrival || ev.Message.Login == "" {
					return
				}
				if !ev.Message.Client.IsLoopback() {
					nets[f][ev.Message.Client.String()] = true
				}
				domains[f][ev.Message.Login[strings.IndexByte(ev.Message.Login, '@'):]] = true
			})
		}
	}
	for n := range nets[Build] {
		if nets[Held][n] {
			t.Errorf("both families have client %s", n)
		}
	}
	for n := range domains[Build] {
		if domains[Held][n] {
			t.Errorf("both families have domain %s", n)
		}
	}
	if _, err := os.Stat(enronFolder); err != nil {
		t.Skipf("the real histories are not here: %v", err)
	}
	if a, b := len(readHistories(enronFolder, Build)), len(readHistories(enronFolder, Held)); a < 40 || b < 40 {
		t.Errorf("%d and %d people of the histories", a, b)
	}
}

func TestStylesMask(t *testing.T) {
	for s := Recommended; s <= Hestia; s++ {
		cfg := small(9, Build)
		cfg.Style = s
		cfg.Kinds = []string{"wide"}
		watch(New(cfg), func(ev *Event) {
			if ev.Kind != Arrival {
				return
			}
			m, bare := ev.Message, s == Debian || s == Hestia
			if (len(m.Recipients) == 0) != bare || m.HasSubject == bare || (bare && m.Script.Path != "") {
				t.Fatalf("%v: %d recipients, subject %v, script %q", s, len(m.Recipients), m.HasSubject, m.Script.Path)
			}
			if want := osm.Exact; m.Script.Path != "" && s == Recommended && m.Script.Sure != want {
				t.Fatalf("%v: script is %v", s, m.Script.Sure)
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	for _, f := range []Family{Build, Held} {
		table, err := readAnswers(answerText, f)
		if err != nil {
			t.Fatal(err)
		}
		for _, refusal := range osm.Refusals() {
			if refusal == osm.Other {
				continue
			}
			if len(table[postfix][refusal]) == 0 {
				t.Errorf("%v: nobody has words for %v", f, refusal)
			}
			for r := range table {
				for _, a := range table[r][refusal] {
					if (a.code == 0) != (refusal == osm.Connection) || strings.ContainsAny(a.text, "\n\t\"") {
						t.Errorf("%v: reply code %d in %q", f, a.code, a.text)
					}
				}
			}
		}
	}
	for _, bad := range []string{"*\tnobody\tspam\td\t550 x", "*\tgoogle\tcold\td\t550 x", "*\tgoogle\tspam"} {
		if _, err := readAnswers(bad, Build); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
}
