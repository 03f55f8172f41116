package check

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"blitiri.com.ar/go/spf"
	"github.com/emersion/go-msgauth/dkim"
	"github.com/emersion/go-msgauth/dmarc"

	"osm"
)

// DMARCConfig is the table [check.dmarc].
type DMARCConfig struct {
	Common
	Limit osm.Size `toml:"limit" doc:"The largest message whose signatures are verified: the whole content is needed for that."`
}

func defaultDMARC() DMARCConfig {
	return DMARCConfig{Common: common(5*time.Second, osm.Login, osm.Local, osm.Localhost, osm.Relay, osm.Inbound, osm.Forward), Limit: 4 << 20}
}

func (c *DMARCConfig) check(report func(key, problem string)) {
	c.Common.check(report)
	checkLimit(c.Limit, report)
}

// What is said of signatures and alignment. DMARC's permerror is a message whose From names not exactly one domain.
const (
	none      = "none"
	pass      = "pass"
	unaligned = "unaligned"
	fail      = "fail"
	permerror = "permerror"
)

// dmarcRow is the row of signatures and alignment: of what leaves from here with this server's own SPF, of what comes from
// outside with the client's.
func (c *Checks) dmarcRow() *one {
	cfg := c.cfg.DMARC
	k := &one{name: "dmarc", settings: cfg.Common, from: AtData, content: int64(cfg.Limit), guard: c.askingMany("dmarc", cfg.Common)}
	k.look = func(ctx context.Context, r *Request, o *osm.Opinions) error {
		if r.Content == nil {
			return nil
		}
		from := fromDomain(r.Content)
		if from == "" {
			o.DMARC = permerror
			return nil
		}
		record, err := c.policyOf(ctx, from)
		if err != nil {
			return err
		}
		if r.Whole {
			if o.DKIM, err = c.signatures(ctx, r.Content, from, record); err != nil {
				return err
			}
		}
		if record == nil {
			o.DMARC = none
			return nil
		}
		o.DMARCPolicy = string(record.Policy)
		if o.DMARC, err = c.aligned(ctx, r, o.DKIM, from, record); err == nil && o.DMARC == fail && record.Policy != dmarc.PolicyNone {
			k.speak(o, "dmarc-fail", from+" asks receivers to "+o.DMARCPolicy+" mail that it has not authorised (DMARC)",
				osm.Key{Kind: osm.KeySenderDomain, Value: from})
		}
		return err
	}
	return k
}

// fromDomain is the domain of the From header, "" when there is not exactly one header with an address.
func fromDomain(content []byte) string {
	n := 0
	for range headerFields(content, "From") {
		n++
	}
	domain := canonical(osm.Domain(FromAddress(content)))
	if n != 1 || !plainName(domain) {
		return ""
	}
	return domain
}

// policyOf finds what a domain, or the one it belongs to, publishes (RFC 7489 section 6.6.3); nil where it publishes nothing.
func (c *Checks) policyOf(ctx context.Context, from string) (*dmarc.Record, error) {
	look := &dmarc.LookupOptions{LookupTXT: func(name string) ([]string, error) { return c.resolver.LookupTXT(ctx, name) }}
	record, err := dmarc.LookupWithOptions(from, look)
	if org := registered(from); errors.Is(err, dmarc.ErrNoPolicy) && org != "" && org != from {
		if record, err = dmarc.LookupWithOptions(org, look); err == nil && record.SubdomainPolicy != "" {
			record.Policy = record.SubdomainPolicy
		}
	}
	if dmarc.IsTempFail(err) {
		return nil, err
	}
	if err != nil { // a record that can't be read counts as none (RFC 7489 section 6.6.3)
		return nil, nil
	}
	return record, nil
}

// mostSignatures is how many are verified: each costs a look-up and a hash of the whole message.
const mostSignatures = 5

// signatures verifies the message's signatures (RFC 6376).
func (c *Checks) signatures(ctx context.Context, content []byte, from string, record *dmarc.Record) (string, error) {
	all, err := dkim.VerifyWithOptions(stoppable{bytes.NewReader(content), ctx.Done()}, &dkim.VerifyOptions{MaxVerifications: mostSignatures,
		LookupTXT: func(name string) ([]string, error) { return c.resolver.LookupTXT(ctx, name) }})
	if ctx.Err() != nil {
		return "", ctx.Err() // it was not read to its end
	}
	if len(all) == 0 {
		if err != nil {
			return fail, nil // a header that can't be read has no valid signature
		}
		return none, nil
	}
	said := fail
	var later error
	for _, v := range all {
		switch {
		case dkim.IsTempFail(v.Err):
			later = v.Err
		case v.Err != nil:
		case sameDomain(v.Domain, from, record != nil && record.DKIMAlignment == dmarc.AlignmentStrict):
			return pass, nil
		default:
			said = unaligned
		}
	}
	if later != nil {
		return "", later
	}
	return said, nil
}

// aligned is DMARC's result; "" when SPF and the signatures are not known.
func (c *Checks) aligned(ctx context.Context, r *Request, signed, from string, record *dmarc.Record) (string, error) {
	if signed == pass {
		return pass, nil
	}
	m := r.Message
	domain := domainOr(m.Sender, m.Helo)
	if !sameDomain(domain, from, record.SPFAlignment == dmarc.AlignmentStrict) {
		if signed == "" {
			return "", nil
		}
		return fail, nil
	}
	result, err := "", error(nil)
	switch {
	case slices.Contains([]osm.Class{osm.Inbound, osm.Forward, osm.Bounce}, m.Class) && m.Client.IsValid():
		result, err = c.spf(ctx, m.Client, m.Helo, m.Sender)
	case len(c.own.addresses) > 0:
		result, err = c.ownResult(ctx, domain)
	}
	switch {
	case err != nil:
		return "", err
	case result == string(spf.Pass):
		return pass, nil
	case result == "" || signed == "":
		return "", nil
	}
	return fail, nil
}

// sameDomain tells whether two domains are aligned (RFC 7489 section 3.1).
func sameDomain(a, b string, strict bool) bool {
	a, b = canonical(a), canonical(b)
	if strict || strings.EqualFold(a, b) {
		return strings.EqualFold(a, b)
	}
	return registered(a) != "" && registered(a) == registered(b)
}
