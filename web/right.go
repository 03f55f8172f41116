package web

import (
	"maps"
	"slices"

	"osm/access"
)

// Right is what one must have to be served: every route names exactly one. It is also the word with which the scope of an
// API token is written.
type Right string

const (
	Anybody         Right = "anybody"   // no sign-in is needed
	SignedIn        Right = "signed-in" // whoever has signed in
	OwnAccount      Right = "own-account"
	SeeNow          Right = "now"
	SeeStatus       Right = "status"
	SeeIncidents    Right = "incidents"
	CloseIncidents  Right = "incidents.close"
	SeeSenders      Right = "senders"
	SeeMessages     Right = "messages"
	SeeHeld         Right = "held"
	ReleaseHeld     Right = "held.release"
	DeleteHeld      Right = "held.delete"
	SeeSuspensions  Right = "suspensions"
	ChangeSuspended Right = "suspensions.change"
	SeeRules        Right = "rules"
	TryRules        Right = "rules.try"
	ChangeRules     Right = "rules.change"
	SeeLists        Right = "lists"
	ChangeLists     Right = "lists.change"
	SeeDelivery     Right = "delivery"
	SeeSettings     Right = "settings"
	ReloadConfig    Right = "reload"
	SeeAudit        Right = "audit"
	UndoDeeds       Right = "audit.undo"
	SeeLetters      Right = "letters"
	ResendLetters   Right = "letters.again"
	SeeUsers        Right = "users"
	ChangeUsers     Right = "users.change"
	MakeLinks       Right = "links"
	SeeMetrics      Right = "metrics"
	ReportViolation Right = "csp-report" // browsers send it without a sign-in
)

// roles is the table of rights: who may do what. Who is bound to accounts does it with these accounts' mail alone.
var roles = map[Right][]access.Role{
	SignedIn:        access.Roles(),
	OwnAccount:      access.Roles(),
	SeeNow:          access.Roles(),
	SeeIncidents:    access.Roles(),
	SeeSenders:      access.Roles(),
	SeeMessages:     access.Roles(),
	SeeHeld:         access.Roles(),
	ReleaseHeld:     {access.Support, access.Admin, access.Reseller, access.Customer},
	SeeDelivery:     {access.Viewer, access.Support, access.Admin, access.Reseller},
	SeeSuspensions:  {access.Viewer, access.Support, access.Admin, access.Reseller},
	SeeStatus:       staff,
	SeeRules:        staff,
	SeeLists:        staff,
	SeeAudit:        staff,
	SeeMetrics:      staff,
	CloseIncidents:  desk,
	DeleteHeld:      desk,
	ChangeLists:     desk,
	UndoDeeds:       desk,
	TryRules:        desk,
	SeeSettings:     desk,
	SeeLetters:      desk,
	ResendLetters:   desk,
	ChangeSuspended: {access.Admin},
	ChangeRules:     {access.Admin},
	ReloadConfig:    {access.Admin},
	MakeLinks:       desk,
	SeeUsers:        {access.Admin},
	ChangeUsers:     {access.Admin},
}

var (
	staff = []access.Role{access.Viewer, access.Support, access.Admin}
	desk  = []access.Role{access.Support, access.Admin}
)

// rights lists the table's rights by name.
func rights() []Right { return slices.Sorted(maps.Keys(roles)) }

// open tells whether a right needs no sign-in.
func (r Right) open() bool { return r == Anybody || r == ReportViolation }

// has tells whether a role has a right.
func (r Right) has(role access.Role) bool { return r.open() || slices.Contains(roles[r], role) }
