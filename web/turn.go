package web

import (
	"context"
	"strings"

	"osm"
	"osm/store"
)

// What the history answers, in the words of the API. Lists are never null.

func hoursOf(hours []store.Hour) []Hour {
	all := make([]Hour, len(hours))
	for i, h := range hours {
		all[i] = Hour{h.Start, CountsOf(h.Counts)}
	}
	return all
}

func messagesOf(found []store.Found) []Message {
	all := make([]Message, len(found))
	for i := range found {
		all[i] = MessageOf(&found[i])
	}
	return all
}

func clientsOf(clients []store.ClientCount) []Client {
	all := make([]Client, len(clients))
	for i, c := range clients {
		all[i] = Client{Address: Address(c.Addr), Host: c.Host, Country: c.Country, ASN: c.ASN, Messages: c.Messages, First: c.First, Last: c.Last}
	}
	return all
}

func domainsOf(domains []store.DomainCount) []DomainCount {
	all := make([]DomainCount, len(domains))
	for i, d := range domains {
		all[i] = DomainCount(d)
	}
	return all
}

func answersOf(answers []store.Answer) []Answer {
	all := make([]Answer, len(answers))
	for i, a := range answers {
		all[i] = Answer{Refusal: a.Refusal.String(), Domain: a.Domain, Host: a.Host, Count: a.Count, Code: a.Code, Enhanced: a.Enhanced, Text: a.Text, ID: a.ID,
			Last: a.Last}
	}
	return all
}

func (s *Server) traceOf(ctx context.Context, t *store.Trace) *Trace {
	all := &Trace{Message: MessageOf(&t.Found), Deliveries: make([]Delivery, len(t.Deliveries)), Events: make([]Event, len(t.Events)),
		Lines: append([]string{}, t.Lines...)}
	for i := range t.Deliveries {
		all.Deliveries[i] = DeliveryOf(&t.Deliveries[i])
	}
	for i := range t.Events {
		all.Events[i] = EventOf(&t.Events[i])
	}
	if t.Found.Verdict.ID != "" || len(t.Found.Verdict.Findings) > 0 {
		all.Decision = s.verdictOf(ctx, &t.Found.Verdict, t.Found.ID)
	}
	return all
}

// verdictOf is a decision, and how to take it back, as far as the viewer may.
func (s *Server) verdictOf(ctx context.Context, v *osm.Verdict, message string) *Verdict {
	all := &Verdict{ID: v.ID, Action: v.Action, Rule: v.Rule, Reason: v.Reason, Detail: v.Detail, Key: v.Key, Score: v.Score, Shadow: v.Shadow, Passive: v.Passive,
		Findings: append([]osm.Finding{}, v.Findings...), Undo: []string{}}
	viewer := ViewerOf(ctx)
	if v.Action == osm.Hold && viewer.May(ReleaseHeld) {
		all.Undo = append(all.Undo, "osm release "+ShellWord(message))
	}
	if v.Key.Value != "" && viewer.May(ChangeLists) {
		all.Undo = append(all.Undo, "osm forgive "+v.Key.Kind.String()+" "+ShellWord(v.Key.Value))
	}
	return all
}

// ShellWord quotes a hostile text so that it can be pasted into a shell.
func ShellWord(s string) string {
	return "'" + strings.ReplaceAll(osm.Printable(s), "'", `'\''`) + "'"
}
