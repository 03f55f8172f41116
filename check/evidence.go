package check

import (
	"fmt"
	"slices"
	"strings"

	"osm"
)

// mostShownOf bounds what the evidence tells of one kind.
const mostShownOf = 10

// Evidence tells in words what checks said of a message, under the names that rules know it by; scores under the scanner's. Only
// listings weigh something, by their own scale.
func Evidence(o *osm.Opinions) (all []osm.Finding) {
	add := func(fact, value, normal string) {
		if value != "" {
			all = append(all, osm.Finding{Fact: fact, Value: osm.Printable(value), Normal: normal})
		}
	}
	for _, l := range o.Listings[:min(len(o.Listings), mostShownOf)] {
		all = append(all, osm.Finding{Fact: "dnsbl", Value: osm.Printable(text(&l)), Weight: l.Weight})
	}
	for _, s := range o.Scores {
		normal := ""
		if s.Enough > 0 {
			normal = fmt.Sprintf("less than %.1f", s.Enough)
		}
		add(s.By, fmt.Sprintf("%.1f points: %s", s.Points, s.Advice), normal)
	}
	add("spf", o.SPF, "")
	add("own_spf", o.OwnSPF, "")
	add("dkim", o.DKIM, "")
	add("dmarc", o.DMARC, "")
	add("dmarc_policy", o.DMARCPolicy, "")
	add("greylist", o.Greylist, "")
	var extensions []string
	for _, e := range o.Extensions {
		if e != "" && !slices.Contains(extensions, e) && len(extensions) < mostShownOf {
			extensions = append(extensions, e)
		}
	}
	add("extensions", strings.Join(extensions, ", "), "")
	if o.Encrypted > 0 {
		add("encrypted", fmt.Sprint(o.Encrypted), "")
	}
	if o.LinkCount > 0 {
		add("link_count", fmt.Sprint(o.LinkCount), "")
	}
	add("checks_failed", strings.Join(o.Failed, ", "), "")
	return all
}
