package web

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"osm"
	"osm/exim"
	"osm/store"
)

// meant is the address of what somebody has typed into the search box, "" when nothing is known of it.
func (s *Server) meant(r *http.Request, asked string) (string, error) {
	ctx, v := r.Context(), ViewerOf(r.Context())
	switch {
	case asked == "":
		return s.path("/messages"), nil
	case exim.ValidID(asked):
		return s.path("/messages/" + asked), nil
	}
	if id := strings.ToUpper(asked); strings.HasPrefix(id, "I") {
		if _, ok := s.o.Incident(v.Scope, id); ok {
			return s.path("/incidents/" + id), nil
		}
	}
	if id := strings.ToUpper(asked); strings.HasPrefix(id, "V") && len(id) == 9 {
		_, err := s.verdict(ctx, id)
		if err == nil {
			return s.path("/verdicts/" + id), nil
		}
		if !errors.Is(err, store.ErrNotFound) {
			return "", err
		}
	}
	for _, kind := range kindsFor(asked) {
		_, err := s.history(ctx).Sender(ctx, store.SenderQuery{Key: osm.Key{Kind: kind, Value: asked}, Since: s.o.Now().Add(-findBack), Until: s.o.Now(),
			Most: 1, Latest: 1})
		if err == nil {
			return s.pages.link("/sender", "kind", kind, "value", asked), nil
		}
		if !errors.Is(err, store.ErrNotFound) {
			return "", err
		}
	}
	for _, field := range []string{"recipient", "subject"} {
		f := filter{Limit: 1}
		if field == "recipient" {
			if !strings.Contains(asked, "@") {
				continue
			}
			f.Recipient = asked
		} else {
			f.Subject = asked
		}
		f.Since = s.o.Now().Add(-findBack)
		wanted, err := f.store()
		if err != nil {
			return "", err
		}
		page, err := s.messages(ctx, wanted)
		if err != nil {
			return "", err
		}
		if len(page.Messages) > 0 {
			return s.path("/messages?" + url.Values{field: {asked}}.Encode()), nil
		}
	}
	return "", nil
}

// findBack is how far back the search box looks for a sender: who wants more asks under Messages.
const findBack = 2 * 24 * time.Hour

// kindsFor are the kinds of sender that a word may be, the likeliest first.
func kindsFor(asked string) []osm.KeyKind {
	if _, err := netip.ParseAddr(asked); err == nil {
		return []osm.KeyKind{osm.KeyClient}
	}
	switch {
	case strings.HasPrefix(asked, "/"):
		return []osm.KeyKind{osm.KeyScript}
	case strings.Contains(asked, "@"):
		return []osm.KeyKind{osm.KeyLogin, osm.KeySender}
	case strings.Contains(asked, "."):
		return []osm.KeyKind{osm.KeySenderDomain, osm.KeyLogin, osm.KeyAccount}
	}
	return []osm.KeyKind{osm.KeyLogin, osm.KeyAccount, osm.KeyUser}
}
