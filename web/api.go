package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"osm"
	"osm/action"
	"osm/hold"
	"osm/incident"
	"osm/policy"
	"osm/store"
	"osm/tail"
)

// openAPI makes the description into which every operation writes itself.
func (s *Server) openAPI() {
	schemas := huma.NewMapRegistry("#/components/schemas/", schemaName)
	for _, word := range []reflect.Type{reflect.TypeFor[osm.Refusal](), reflect.TypeFor[osm.Outcome](), reflect.TypeFor[osm.Confidence](),
		reflect.TypeFor[tail.State](), reflect.TypeFor[hold.State]()} { // written as texts, and never read
		schemas.RegisterTypeAlias(word, reflect.TypeFor[string]())
	}
	c := huma.Config{OpenAPI: &huma.OpenAPI{OpenAPI: "3.1.0", Components: &huma.Components{Schemas: schemas},
		Info: &huma.Info{Title: "osm", Version: "1", Description: "Outgoing Spam Monitor: what the pages show, and the osm command does. Each operation " +
			"takes one right (x-right), which roles have (doc/web.md). Texts that come from mail are hostile: escape them."}},
		Formats: huma.DefaultFormats, DefaultFormat: "application/json"}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"token":   {Type: "http", Scheme: "bearer", Description: "A token of osm user token, or made on the page of one's own account."},
		"session": {Type: "apiKey", In: "cookie", Name: sessionCookie, Description: "Of a browser that is signed in."},
	}
	s.api = humago.New(s.mux, c)
}

// schemaName tells types of one name in several rooms apart.
func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == reflect.TypeFor[Finding]() { // beside osm.Finding
		return "DoctorFinding"
	}
	name := huma.DefaultSchemaNamer(t, hint)
	room := t.PkgPath()[strings.LastIndexByte(t.PkgPath(), '/')+1:]
	if t.Name() == "" || room == "" || room == "osm" || room == "web" || room == "huma" || room == "v2" {
		return name
	}
	return strings.ToUpper(room[:1]) + room[1:] + name
}

// OpenAPI is the API's description, as doc/openapi.json has it.
func (s *Server) OpenAPI() ([]byte, error) {
	text, err := json.MarshalIndent(s.api.OpenAPI(), "", " ")
	if err != nil {
		return nil, fmt.Errorf("write the API's description: %w", err)
	}
	return append(text, '\n'), nil
}

// The parts of operations' inputs. They have upper-case names because huma looks into no other embedded struct.

// IDInput names one thing.
type IDInput struct {
	ID string `path:"id" maxLength:"200"`
}

// SpanInput is a time that is looked back on.
type SpanInput struct {
	Since time.Time `query:"since" doc:"RFC 3339; the last 24 hours when neither is told"`
	Until time.Time `query:"until"`
}

// KeyInput names a sender, a network, a script ...
type KeyInput struct {
	Kind  string `query:"kind" maxLength:"50" doc:"account, login, script, client, sender-domain, subject ..."`
	Value string `query:"value" maxLength:"4096"`
}

// key is the zero key when none is named.
func (k *KeyInput) key() (key osm.Key, err error) {
	if k.Kind == "" {
		return key, nil
	}
	key.Value = k.Value
	key.Kind, err = osm.ParseKeyKind(k.Kind)
	return key, err
}

// addAPI registers the operations about mail.
func (s *Server) addAPI() error {
	s.openAPI()
	s.addLooks()
	s.addHeld()
	s.addOrders()
	s.handle(http.MethodGet, apiPath+"openapi.json", SignedIn, func(w http.ResponseWriter, r *http.Request) {
		text, err := s.OpenAPI()
		if err != nil {
			s.fail(w, r, http.StatusInternalServerError, err.Error())
			return
		}
		w.Header().Set("Content-Type", "application/openapi+json")
		w.Write(text)
	})
	return nil
}

func (s *Server) addLooks() {
	api(s, operation{"status", http.MethodGet, "/status", SeeStatus, "How the daemon is."},
		func(ctx context.Context, _ *none) (Status, error) { return s.o.Status(ctx), nil })
	api(s, operation{"now", http.MethodGet, "/now", SeeNow, "The state of things at this moment."},
		func(ctx context.Context, _ *none) (*Overview, error) { return s.overview(ctx) })
	type every struct {
		All bool `query:"all" doc:"closed ones too"`
	}
	api(s, operation{"list-incidents", http.MethodGet, "/incidents", SeeIncidents, "What was found: one incident for each sender and kind of attack."},
		func(ctx context.Context, in *every) ([]incident.Incident, error) {
			return s.incidents(ctx, in.All), nil
		})
	api(s, operation{"get-incident", http.MethodGet, "/incidents/{id}", SeeIncidents, "One incident with its evidence."},
		func(ctx context.Context, in *IDInput) (*IncidentPage, error) { return s.incidentPage(ctx, in.ID) })
	type ranks struct {
		Kind string `query:"kind" enum:"account,login,script,client,sender-domain,subject" default:"account"`
		SpanInput
		Order string `query:"order" enum:"messages,recipients,failed" default:"messages"`
		Limit int    `query:"limit" minimum:"0" maximum:"500"`
	}
	api(s, operation{"list-senders", http.MethodGet, "/senders", SeeSenders, "Who sent most."}, func(ctx context.Context, in *ranks) (*SenderList, error) {
		kind, err := osm.ParseKeyKind(in.Kind)
		if err != nil {
			return nil, err
		}
		return s.senders(ctx, SenderQuery{Kind: kind, Since: in.Since, Until: in.Until, Order: in.Order, Limit: in.Limit})
	})
	type one struct {
		KeyInput
		SpanInput
	}
	api(s, operation{"get-sender", http.MethodGet, "/sender", SeeSenders, "All about one sender."}, func(ctx context.Context, in *one) (*Sender, error) {
		key, err := in.key()
		if err != nil {
			return nil, err
		}
		return s.sender(ctx, key, in.Since, in.Until)
	})
	api(s, operation{"search-messages", http.MethodGet, "/messages", SeeMessages, "Messages that a filter finds, the newest first."},
		func(ctx context.Context, in *filter) (*MessagePage, error) {
			f, err := in.store()
			if err != nil {
				return nil, err
			}
			return s.messages(ctx, f)
		})
	api(s, operation{"trace-message", http.MethodGet, "/messages/{id}", SeeMessages, "One message with all that is known of it."},
		func(ctx context.Context, in *IDInput) (*Trace, error) { return s.trace(ctx, in.ID) })
	api(s, operation{"explain-verdict", http.MethodGet, "/verdicts/{id}", SeeMessages, "One decision and everything that it rests on."},
		func(ctx context.Context, in *IDInput) (*Verdict, error) { return s.verdict(ctx, in.ID) })
	api(s, operation{"delivery", http.MethodGet, "/delivery", SeeDelivery, "How receivers take our mail, and what block lists say of us."},
		func(ctx context.Context, in *SpanInput) (*DeliveryReport, error) {
			return s.delivery(ctx, in.Since, in.Until)
		})
	api(s, operation{"list-rules", http.MethodGet, "/rules", SeeRules, "Every rule in force, and how often each decided (in the last week, when no time is told)."},
		func(ctx context.Context, in *SpanInput) ([]Rule, error) { return s.hits(ctx, in.Since) })
	api(s, operation{"settings", http.MethodGet, "/settings", SeeSettings, "Every setting in force, and where it comes from."},
		func(context.Context, *none) ([]Setting, error) { return append([]Setting{}, s.o.Settings()...), nil })
	api(s, operation{"doctor", http.MethodGet, "/doctor", SeeSettings, "What is found, missing or stale, and what to do about it."},
		func(ctx context.Context, _ *none) ([]Finding, error) {
			return append([]Finding{}, s.o.Doctor(ctx)...), nil
		})
}

// filter says which messages are wanted: see store.Filter.
type filter struct {
	Sender    string `query:"sender" maxLength:"1000" doc:"envelope sender; <> is the null sender. In all texts a * at the start or end stands for anything."`
	Recipient string `query:"recipient" maxLength:"1000"`
	Login     string `query:"login" maxLength:"1000"`
	Account   string `query:"account" maxLength:"1000"`
	User      string `query:"user" maxLength:"1000"`
	Client    string `query:"client" maxLength:"1000"`
	Script    string `query:"script" maxLength:"4096"`
	Subject   string `query:"subject" maxLength:"1000" doc:"found anywhere in the subject"`
	SpanInput
	Class   string `query:"class" doc:"login, script, localhost, relay ..."`
	Outcome string `query:"outcome" enum:"delivered,deferred,failed,suppressed"`
	Refusal string `query:"refusal" doc:"no-such-user, spam, listed, rate-limited ..."`
	Action  string `query:"action" doc:"of the verdict: accept, defer, hold, reject, discard or divert"`
	Judged  bool   `query:"judged" doc:"something was found about it"`
	Limit   int    `query:"limit" minimum:"0" maximum:"500"`
	After   string `query:"after" maxLength:"100" doc:"next of the page before"`
}

// store puts the filter into the history's words.
func (f *filter) store() (store.Filter, error) {
	out := store.Filter{Sender: f.Sender, Recipient: f.Recipient, Login: f.Login, Account: f.Account, User: f.User, Client: f.Client, Script: f.Script,
		Subject: f.Subject, Since: f.Since, Until: f.Until, Judged: f.Judged, Limit: f.Limit, After: store.Cursor(f.After)}
	if f.Class != "" {
		class, err := osm.ParseClass(f.Class)
		if err != nil {
			return out, err
		}
		out.Class = class
	}
	for o := osm.Delivered; o <= osm.Suppressed; o++ {
		if f.Outcome == o.String() {
			out.Outcome = &o
		}
	}
	for _, r := range osm.Refusals() {
		if f.Refusal == r.String() {
			out.Refusal = r
		}
	}
	if f.Refusal != "" && out.Refusal == osm.NotRefused {
		return out, fmt.Errorf("unknown kind of refusal %q: want one of %v", f.Refusal, osm.Refusals())
	}
	if f.Action != "" {
		a, err := osm.ParseAction(f.Action)
		if err != nil {
			return out, err
		}
		out.Action = &a
	}
	return out, nil
}

func (s *Server) addHeld() {
	type query struct {
		By    string `query:"by" enum:"key,sender,reason,age" default:"key"`
		State string `query:"state" doc:"held (the default), releasing, released, deleting, deleted, expired or left"`
		KeyInput
		List    int `query:"list" minimum:"0" maximum:"1000" doc:"single messages"`
		Samples int `query:"samples" minimum:"0" maximum:"3" doc:"of each group"`
	}
	api(s, operation{"list-held", http.MethodGet, "/held", SeeHeld, "What is held, in groups."}, func(ctx context.Context, in *query) (*Held, error) {
		q := HeldQuery{By: in.By, List: in.List, Samples: in.Samples}
		if in.State != "" {
			if err := q.State.UnmarshalText([]byte(in.State)); err != nil {
				return nil, err
			}
		}
		key, err := in.key()
		if err == nil && key != (osm.Key{}) {
			key, err = policy.CheckKey(key)
		}
		if err != nil {
			return nil, err
		}
		q.Key = key
		return s.held(ctx, q)
	})
	api(s, operation{"get-held", http.MethodGet, "/held/{id}", SeeHeld, "One held message, with a sample of it."},
		func(ctx context.Context, in *IDInput) (*HeldOne, error) {
			return s.o.HeldOne(ViewerOf(ctx).Scope, in.ID)
		})
	type order struct{ Body HeldOrder }
	for _, o := range []struct {
		operation
		what policy.What
	}{
		{operation{"release-held", http.MethodPost, "/held/release", ReleaseHeld, "Lets held mail go its way."}, Release},
		{operation{"delete-held", http.MethodPost, "/held/delete", DeleteHeld, "Deletes held mail, after a while in which it can be taken back."}, Delete},
	} {
		api(s, o.operation, func(ctx context.Context, in *order) (*HeldAnswer, error) {
			in.Body.What = o.what
			return s.orderHeld(ctx, in.Body)
		})
	}
}

func (s *Server) addOrders() {
	type reason struct {
		IDInput
		Body struct {
			Reason string `json:"reason,omitempty" maxLength:"1000"`
		}
	}
	api(s, operation{"close-incident", http.MethodPost, "/incidents/{id}/close", CloseIncidents, "Ends an incident."},
		func(ctx context.Context, in *reason) (none, error) {
			return none{}, s.closeIncident(ctx, in.ID, in.Body.Reason)
		})
	api(s, operation{"list-entries", http.MethodGet, "/lists", SeeLists, "The block and the allow list."},
		func(context.Context, *none) ([]policy.Entry, error) {
			return append([]policy.Entry{}, s.o.Lists()...), nil
		})
	type order struct{ Body Order }
	api(s, operation{"change-lists", http.MethodPost, "/orders", ChangeLists, "Blocks, allows, takes off the lists, or forgives."},
		func(ctx context.Context, in *order) (policy.Deed, error) { return s.o.Order(in.Body, self(ctx)) })
	api(s, operation{"list-suspensions", http.MethodGet, "/suspensions", SeeSuspensions, "Who is suspended, and by which means."},
		func(ctx context.Context, _ *none) ([]action.Suspension, error) {
			return append([]action.Suspension{}, s.o.Suspensions(ViewerOf(ctx).Scope)...), nil
		})
	type suspend struct{ Body SuspendOrder }
	api(s, operation{"suspend", http.MethodPost, "/suspensions", ChangeSuspended, "Suspends a sender, or ends that."},
		func(ctx context.Context, in *suspend) (*SuspendAnswer, error) { return s.o.Suspend(in.Body, self(ctx)) })
	type count struct {
		Limit int `query:"limit" minimum:"0" maximum:"1000"`
	}
	api(s, operation{"audit", http.MethodGet, "/audit", SeeAudit, "Who changed what, the latest first."},
		func(ctx context.Context, in *count) (*Audit, error) { return s.audit(ctx, in.Limit) })
	api(s, operation{"undo", http.MethodPost, "/audit/{id}/undo", UndoDeeds, "Takes a change back."},
		func(ctx context.Context, in *IDInput) (policy.Deed, error) { return s.o.Undo(in.ID, self(ctx)) })
	api(s, operation{"list-letters", http.MethodGet, "/letters", SeeLetters, "Alerts, digests and notices on their way to mail, webhooks and chats."},
		func(context.Context, *none) ([]action.Letter, error) {
			return append([]action.Letter{}, s.o.Letters()...), nil
		})
	api(s, operation{"send-again", http.MethodPost, "/letters/{id}/again", ResendLetters, "Sends a letter again."},
		func(ctx context.Context, in *IDInput) (none, error) { return none{}, s.o.SendAgain(in.ID, self(ctx)) })
	api(s, operation{"reload", http.MethodPost, "/reload", ReloadConfig, "Reads the configuration again."},
		func(ctx context.Context, _ *none) (*Reloaded, error) { return s.o.Reload(self(ctx)) })
}
