package web

import (
	"context"
	"slices"

	"osm/access"
)

// Viewer is who asks: a user with a browser or a token, or whoever sits at the control socket.
type Viewer struct {
	Name   string       // for the audit trail and the page; hostile when it comes from a panel
	Role   access.Role  // "" for nobody
	Scope  access.Scope // whose mail he sees
	Via    Via
	Limits []Right // what his token is limited to; nil: whatever his role may
}

// Via is how a viewer has come in.
type Via string

const (
	ViaNothing Via = ""        // nobody has signed in
	ViaSession Via = "session" // a user of osm with a browser
	ViaPanel   Via = "panel"   // a panel's user with a browser, without an account of osm's
	ViaLink    Via = "link"    // a customer with a signed link
	ViaToken   Via = "token"
	ViaControl Via = "control" // root, or osm's own user, at the control socket
)

// May tells whether the viewer has a right: pages show what he may do and nothing else.
func (v *Viewer) May(need Right) bool {
	if need.open() {
		return true
	}
	if need == OwnAccount && v.Via != ViaSession {
		return false
	}
	return need.has(v.Role) && (v.Limits == nil || slices.Contains(v.Limits, need) || need == SignedIn)
}

type viewerKey struct{}

// nobody is who has not signed in.
var nobody = Viewer{}

// ViewerOf is who asks. It is never nil: whoever has not signed in may do nothing.
func ViewerOf(ctx context.Context) *Viewer {
	if v, ok := ctx.Value(viewerKey{}).(*Viewer); ok {
		return v
	}
	return &nobody
}

func withViewer(ctx context.Context, v *Viewer) context.Context {
	return context.WithValue(ctx, viewerKey{}, v)
}
