package main

import (
	_ "embed"
	"html/template"
	"io"
	"time"

	"osm"
	"osm/chart"
	"osm/store"
)

//go:embed report.html
var reportPage string

// reportRanking is one ranking of the page.
type reportRanking struct {
	Title, Head string
	Picture     template.HTML
	Rows        []store.Top
}

// writeReportHTML writes a page that needs nothing else: no script, no style sheet, no font, no network.
func writeReportHTML(w io.Writer, r *store.Report) error {
	page, err := template.New("report").Funcs(template.FuncMap{
		"number": number[int64], "size": osm.ShortSize, "printable": osm.Printable,
	}).Parse(reportPage)
	if err != nil {
		return err
	}
	var ranked []reportRanking
	for _, ranking := range rankings {
		if rows := r.Top[ranking.kind]; len(rows) > 0 {
			ranked = append(ranked, reportRanking{ranking.title, ranking.head, rankPicture(ranking.title, rows), rows})
		}
	}
	classes := classTable(r)
	return page.Execute(w, map[string]any{
		"Since": r.Since.Local().Format(clock), "Until": r.Until.Local().Format(clock),
		"Heads": classes.heads, "Classes": classes.rows, "Refused": refusalLine(r.Total), "Seen": eventLine(r),
		"Outcomes": outcomePicture(r).SVG(), "Refusals": refusalPicture(r).SVG(), "Rankings": ranked,
	})
}

func outcomePicture(r *store.Report) chart.Time {
	n := len(r.Hours)
	delivered, deferred, failed := make([]float64, n), make([]float64, n), make([]float64, n)
	for i, h := range r.Hours {
		delivered[i], deferred[i], failed[i] = float64(h.Delivered), float64(h.Deferred), float64(h.Failed)
	}
	return chart.Time{Title: "Deliveries by hour", Start: r.Since.Local(), Step: time.Hour,
		Series: []chart.Series{{Name: "delivered", Values: delivered}, {Name: "deferred", Values: deferred},
			{Name: "failed", Values: failed}}}
}

// refusalPicture shows only the kinds of refusal that there were.
func refusalPicture(r *store.Report) chart.Time {
	picture := chart.Time{Title: "Refusals by hour", Start: r.Since.Local(), Step: time.Hour}
	for _, refusal := range osm.Refusals() {
		if r.Total.Refusals[refusal] == 0 {
			continue
		}
		values := make([]float64, len(r.Hours))
		for i, h := range r.Hours {
			values[i] = float64(h.Refusals[refusal])
		}
		picture.Series = append(picture.Series, chart.Series{Name: refusal.String(), Values: values})
	}
	return picture
}

func rankPicture(title string, tops []store.Top) template.HTML {
	picture := chart.Rank{Title: title}
	for _, t := range tops[:min(len(tops), 10)] {
		picture.Rows = append(picture.Rows, chart.Row{Label: t.Value, Value: float64(t.Recipients), Text: number(t.Recipients)})
	}
	return picture.SVG()
}
