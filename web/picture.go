package web

import (
	"cmp"
	"html/template"
	"slices"
	"time"

	"osm"
	"osm/chart"
	"osm/check"
	"osm/incident"
)

// The pictures of the pages, and of the digest that is mailed: the same descriptions make both.

// chartFormat is how a language writes times and numbers below a picture.
func (s *speech) chartFormat() chart.Format {
	return chart.Format{Day: s.plainText("format.day"), Minute: s.plainText("format.minute"), Moment: s.plainText("format.short"),
		Decimal: s.plainText("format.decimal")}
}

// ratePicture is the last hour by minute, each class apart.
func (p *pages) ratePicture(s *speech, minutes []Minute, now time.Time) template.HTML {
	const span = 60
	start := now.Add(-span * time.Minute).Truncate(time.Minute)
	values := map[osm.Class][]float64{}
	stopped := make([]float64, span+1)
	for _, m := range minutes {
		at := int(m.Start.Sub(start) / time.Minute)
		if at < 0 || at > span {
			continue
		}
		for class, n := range m.Classes {
			if values[class] == nil {
				values[class] = make([]float64, span+1)
			}
			values[class][at] += float64(n)
		}
		stopped[at] += float64(m.Stopped)
	}
	c := chart.Time{Title: s.plainText("now.rate"), Start: start.In(p.zone), Step: time.Minute, Format: s.chartFormat()}
	for _, class := range append(osm.Classes(), osm.NoClass) {
		if v := values[class]; v != nil {
			c.Series = append(c.Series, chart.Series{Name: s.plainText("class." + class.String()), Values: v})
		}
	}
	if len(c.Series) == 0 {
		c.Series = []chart.Series{{Values: stopped}}
	}
	return c.SVG()
}

// hoursPicture is what became of the mail, by hour.
func (p *pages) hoursPicture(s *speech, hours []Hour, title string) template.HTML {
	c := outcomes(hours, s)
	c.Title = s.plainText(title)
	if len(hours) > 0 {
		c.Start = hours[0].Start.In(p.zone)
	}
	return c.SVG()
}

func outcomes(hours []Hour, s *speech) chart.Time {
	n := len(hours)
	delivered, deferred, failed, stopped := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	for i, h := range hours {
		delivered[i], deferred[i], failed[i], stopped[i] = float64(h.Delivered), float64(h.Deferred), float64(h.Failed), float64(h.Stopped)
	}
	return chart.Time{Step: time.Hour, Format: s.chartFormat(), Series: []chart.Series{
		{Name: s.plainText("outcome.delivered"), Values: delivered},
		{Name: s.plainText("outcome.deferred"), Values: deferred},
		{Name: s.plainText("outcome.stopped"), Values: stopped},
		{Name: s.plainText("outcome.failed"), Values: failed}}}
}

// refusalPicture shows only the kinds of refusal that there were.
func (p *pages) refusalPicture(s *speech, hours []Hour, total Counts) template.HTML {
	c := refusals(s, hours, total)
	if len(hours) > 0 {
		c.Start = hours[0].Start.In(p.zone)
	}
	if len(c.Series) == 0 {
		c.Series = []chart.Series{{Values: make([]float64, len(hours))}}
	}
	return c.SVG()
}

// mostKinds of refusals are shown apart: more colours nobody can tell from each other.
const mostKinds = 6

func refusals(s *speech, hours []Hour, total Counts) chart.Time {
	c := chart.Time{Title: s.plainText("delivery.refusals"), Step: time.Hour, Format: s.chartFormat()}
	kinds := slices.DeleteFunc(osm.Refusals(), func(r osm.Refusal) bool { return total.Refusals[r.String()] == 0 })
	slices.SortStableFunc(kinds, func(a, b osm.Refusal) int { return cmp.Compare(total.Refusals[b.String()], total.Refusals[a.String()]) })
	for n, refusal := range kinds {
		if n < mostKinds {
			name := refusal.String()
			if n == mostKinds-1 && len(kinds) > mostKinds { // which takes the rest
				name = osm.Other.String()
			}
			c.Series = append(c.Series, chart.Series{Name: s.plainText("refusal." + name), Values: make([]float64, len(hours))})
		}
		values := c.Series[len(c.Series)-1].Values
		for i, h := range hours {
			values[i] += float64(h.Refusals[refusal.String()])
		}
	}
	return c
}

// daysPicture adds the outcomes of hours up to days of the zone.
func (p *pages) daysPicture(s *speech, hours []Hour) template.HTML {
	var days []Hour
	for _, h := range hours {
		local := h.Start.In(p.zone)
		day := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, p.zone)
		if len(days) == 0 || !days[len(days)-1].Start.Equal(day) {
			days = append(days, Hour{Start: day})
		}
		sum := &days[len(days)-1].Counts
		sum.Delivered, sum.Deferred, sum.Failed, sum.Stopped = sum.Delivered+h.Delivered, sum.Deferred+h.Deferred, sum.Failed+h.Failed, sum.Stopped+h.Stopped
	}
	c := outcomes(days, s)
	c.Title, c.Step = s.plainText("sender.month"), 24*time.Hour
	if len(days) > 0 {
		c.Start = days[0].Start
	}
	return c.SVG()
}

// senderPicture is one sender's day, against what is usual for it.
func (p *pages) senderPicture(s *speech, hours []Hour, usual float64) template.HTML {
	n := len(hours)
	recipients, stopped := make([]float64, n), make([]float64, n)
	for i, h := range hours {
		recipients[i], stopped[i] = float64(h.Recipients-min(h.Stopped, h.Recipients)), float64(h.Stopped)
	}
	c := chart.Time{Title: s.plainText("sender.day"), Step: time.Hour, Format: s.chartFormat(), Usual: usual, Label: s.plainText("sender.usualLine"),
		Series: []chart.Series{{Name: s.plainText("counts.recipients"), Values: recipients}, {Name: s.plainText("outcome.stopped"), Values: stopped}}}
	if n > 0 {
		c.Start = hours[0].Start.In(p.zone)
	}
	return c.SVG()
}

// incidentPicture is the sender's mail around an incident, with its turns.
func (p *pages) incidentPicture(s *speech, i *IncidentPage) template.HTML {
	n := len(i.Hours)
	sent, stopped := make([]float64, n), make([]float64, n)
	for at, h := range i.Hours {
		sent[at], stopped[at] = float64(h.Messages-h.Stopped), float64(h.Stopped)
	}
	c := chart.Time{Title: s.plainText("incident.picture"), Step: time.Hour, Format: s.chartFormat(),
		Series: []chart.Series{{Name: s.plainText("incident.count"), Values: sent}, {Name: s.plainText("outcome.stopped"), Values: stopped}}}
	if n > 0 {
		c.Start = i.Hours[0].Start.In(p.zone)
	}
	for _, step := range i.Timeline {
		if step.State != incident.Growing {
			c.Marks = append(c.Marks, chart.Mark{Time: step.Time, Text: s.plainText("turned." + string(step.State))})
		}
	}
	return c.SVG()
}

// listingPicture is since when our addresses are on block lists.
func (p *pages) listingPicture(s *speech, listings []check.Listed, now time.Time) template.HTML {
	c := chart.Spans{Title: s.plainText("delivery.listings"), Start: now.Add(-30 * 24 * time.Hour).In(p.zone), End: now.In(p.zone), Format: s.chartFormat()}
	for _, l := range listings {
		label, span := l.Address+" · "+l.List, chart.Span{Start: l.Since, End: l.Until}
		if at := slices.IndexFunc(c.Rows, func(r chart.SpanRow) bool { return r.Label == label }); at >= 0 {
			c.Rows[at].Spans = append(c.Rows[at].Spans, span)
		} else if len(c.Rows) < listingRows {
			c.Rows = append(c.Rows, chart.SpanRow{Label: label, Spans: []chart.Span{span}})
		}
	}
	return c.SVG()
}

// listingRows is how many lists a picture shows.
const listingRows = 20

// DigestPicture is one of the pictures of the mailed digest; one of the two is set.
type DigestPicture struct {
	Time *chart.Time
	Rank *chart.Rank
}

// rankRows is how many senders a picture of a ranking shows.
const rankRows = 10

// DigestPictures are the pages' pictures of a report, in English: what became of the mail, the refusals, and who sent most.
func DigestPictures(r Report, zone *time.Location) ([]DigestPicture, error) {
	all, err := speeches()
	if err != nil {
		return nil, err
	}
	s := all[0]
	became := outcomes(r.Hours, s)
	became.Title, became.Start = s.plainText("now.day"), r.Since.In(zone)
	pictures := []DigestPicture{{Time: &became}}
	if refused := refusals(s, r.Hours, r.Total); len(refused.Series) > 0 {
		refused.Start = r.Since.In(zone)
		pictures = append(pictures, DigestPicture{Time: &refused})
	}
	for _, kind := range []osm.KeyKind{osm.KeyLogin, osm.KeyScript} {
		rank := chart.Rank{Title: s.plainText("keys." + kind.String())}
		for _, t := range r.Top[kind.String()] {
			if len(rank.Rows) < rankRows {
				rank.Rows = append(rank.Rows, chart.Row{Label: t.Value, Value: float64(t.Recipients), Text: s.number(t.Recipients)})
			}
		}
		if len(rank.Rows) > 0 {
			pictures = append(pictures, DigestPicture{Rank: &rank})
		}
	}
	return pictures, nil
}
