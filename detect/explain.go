package detect

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"osm"
	"osm/window"
)

// assess says what was found, in words. It is only called when a threshold is crossed.
func (d *Detector) assess(l *look, action osm.Action, score float32) Assessment {
	a := Assessment{Action: action, Key: l.s.key, Score: float64(score), Rule: rule(l), Findings: d.findings(l)}
	if len(a.Findings) > 0 {
		a.Reason, a.Detail = a.Findings[0].Fact, a.Findings[0].Value
	}
	if o := l.owner; o != nil {
		o.stop, o.by = window.Decayed{Sum: 1, At: l.now}, l.s.hash
		d.accounts.touch(o, l.now)
	}
	return a
}

// rule names the kind of attack that the evidence looks like.
func rule(l *look) string {
	w := &l.weights
	switch {
	case w[herdSubject]+w[herdNetwork] >= 3:
		return "herd"
	case l.m.Class == osm.Local || l.m.Class == osm.System:
		return "hacked-script"
	case l.m.Class == osm.Localhost:
		return "localhost-sender"
	case l.m.Class == osm.Relay:
		return "relay-sender"
	case l.m.Class == osm.List:
		return "list-sender"
	case w[newAccount] >= 1.5:
		return "new-account"
	case w[foreignSender]+w[manySenders] >= 4:
		return "spoofed-sender"
	}
	return "stolen-login"
}

// findings lists what weighed, the strongest first, and last what spoke for the sender.
func (d *Detector) findings(l *look) []osm.Finding {
	var all []osm.Finding
	for f, w := range l.weights {
		if w < 0.05 {
			continue
		}
		if weights[f].group == credit {
			w = -w
		}
		value, normal := words(l, fact(f))
		all = append(all, osm.Finding{Fact: weights[f].name, Value: value, Normal: normal, Weight: float64(w)})
	}
	slices.SortStableFunc(all, func(a, b osm.Finding) int { return cmp.Compare(b.Weight, a.Weight) })
	return all
}

// words tells one fact for people: what was seen, and what is normal for this sender.
func words(l *look, f fact) (value, normal string) {
	s, e, m := l.s, l.slot, l.m
	switch f {
	case newRecipients:
		return fmt.Sprintf("%.0f of %.0f recipients never mailed before", e.fresh, e.recipients),
			percent(&s.newRecipient) + " of its recipients are new"
	case volume, flood:
		return fmt.Sprintf("%.0f new recipients in two days", e.fresh),
			fmt.Sprintf("up to about %.0f a day", window.FromLevel(s.topDay))
	case rate:
		_, hour := window.HourOf(l.now)
		return fmt.Sprintf("%.0f recipients this hour", s.inHr),
			fmt.Sprintf("about %.0f at this hour, %.0f at most", s.week.Usual(hour), s.week.Top())
	case pace:
		return fmt.Sprintf("%.0f recipients within minutes", s.quick.Value(l.now, quickSpan)), "nothing is known of it yet"
	case sameSubject:
		return fmt.Sprintf("%.0f messages repeat a subject that is new here", e.repeats), percent(&s.repeats) + " repeat one"
	case manyRecipients:
		return fmt.Sprintf("%d recipients in one message", len(m.Recipients)),
			fmt.Sprintf("%.1f %% of its messages have that many", 100*s.larger(len(m.Recipients)))
	case refused:
		return fmt.Sprintf("%.0f of %.0f recipients do not exist", e.unknown, e.answers), percent(&s.refused)
	case refusedAsSpam:
		return fmt.Sprintf("%.0f of %.0f refused as spam, listed or too much", e.spam, e.answers), percent(&s.refusedSpam)
	case complaints:
		return fmt.Sprintf("%.0f complaints of recipients of late", s.complaints.Sum), "hardly any"
	case knownRecipients:
		return fmt.Sprintf("%.0f of %.0f recipients mailed before", e.recipients-e.fresh, e.recipients), ""
	}
	return origin(l, f)
}

// origin is words for the facts that tell where a message comes from and under which name.
func origin(l *look, f fact) (value, normal string) {
	s, e, m := l.s, l.slot, l.m
	switch f {
	case newNetwork:
		return "network of " + m.Client.String() + " not used before", percent(&s.newNetwork) + " of its messages open a new one"
	case newAddress:
		return "address " + m.Client.String() + " not used before", percent(&s.newClient) + " of its messages open a new one"
	case newCountry:
		return "country " + m.Country + " not used before", ""
	case newHelo:
		return fmt.Sprintf("HELO %q not used before", m.Helo), percent(&s.newHelo) + " of its messages open a new one"
	case manyNetworks:
		return fmt.Sprintf("%.0f new networks in two days", e.networks), percent(&s.newNetwork) + " of its messages open a new one"
	case failedLogins:
		return fmt.Sprintf("%.0f failed logins in the last day", s.fails.Value(l.now, day)), "hardly any"
	case impossibleTravel:
		return fmt.Sprintf("%.0f km from where his mail came from %s", s.where.Kilometres(m.Where), ago(s.whereAt, l.now)), "what a plane reaches meanwhile"
	case foreignSender:
		return fmt.Sprintf("sender %q of another domain", m.Sender), percent(&s.newFrom) + " of its messages have a new sender"
	case manySenders:
		return fmt.Sprintf("%.0f new senders in two days", e.froms), percent(&s.newFrom) + " of its messages have a new sender"
	case newSubject:
		return fmt.Sprintf("subject %q is unlike its others", m.Subject), percent(&s.newSubject) + " of its subjects are new"
	case uploadFolder:
		return "a script in " + m.Script.Path, "nothing runs in such folders"
	case newScript:
		return "first sent " + ago(s.first, l.now), "folders that have sent for long"
	case newAccount:
		return "first seen " + ago(s.first, l.now), "senders known for long"
	case neighbour:
		return "another sender of the same account was stopped", ""
	case herdSubject:
		return "other logins began to send the same words to strangers within a day", "none"
	case herdNetwork:
		return "other logins came new from the same network within a day", "none"
	}
	return "", ""
}

// percent tells a share: what rounds to nothing is not called 0.0 %.
func percent(h *share) string {
	if p := 100 * h.of(0, 0.01); p >= 0.05 {
		return fmt.Sprintf("%.1f %%", p)
	}
	return "hardly any"
}

func ago(then, now window.Seconds) string {
	switch past := time.Duration(window.Elapsed(then, now)) * time.Second; {
	case past < time.Minute:
		return "less than a minute ago"
	case past < 2*time.Hour:
		return osm.Count(int(past.Minutes()), "minute") + " ago"
	case past < 2*24*time.Hour:
		return fmt.Sprintf("%d hours ago", int(past.Hours()))
	default:
		return fmt.Sprintf("%d days ago", int(past.Hours()/24))
	}
}
