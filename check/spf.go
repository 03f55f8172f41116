package check

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"time"

	"blitiri.com.ar/go/spf"

	"osm"
)

// SPFConfig is the table [check.spf].
type SPFConfig struct {
	Common
	Against []string `toml:"against" doc:"Results that speak against mail: fail, softfail, neutral, none, permerror."`
}

// OwnSPFConfig is the table [check.own_spf].
type OwnSPFConfig struct {
	Common
	Addresses []string `toml:"addresses" doc:"Addresses that mail leaves this server from, as receivers see them; the public ones of its interfaces when empty."`
	Against   []string `toml:"against" doc:"Results that speak against mail: fail, softfail, neutral, none, permerror."`
}

func defaultSPF() SPFConfig {
	return SPFConfig{Common: common(5*time.Second, osm.Relay, osm.Inbound, osm.Forward), Against: []string{string(spf.Fail)}}
}

func defaultOwnSPF() OwnSPFConfig {
	return OwnSPFConfig{Common: common(5*time.Second, osm.Login, osm.Local, osm.Localhost, osm.Relay), Against: []string{string(spf.Fail)}}
}

// results are SPF's (RFC 7208 section 2.6), the best for a sender first. temperror is a check that failed.
var results = []spf.Result{spf.Pass, spf.None, spf.Neutral, spf.SoftFail, spf.PermError, spf.Fail}

func checkAgainst(list []string, report func(key, problem string)) {
	for _, r := range list {
		if r == string(spf.Pass) || !slices.Contains(results, spf.Result(r)) {
			report("against", "must be some of fail, softfail, neutral, none and permerror")
		}
	}
}

func (c *SPFConfig) check(report func(key, problem string)) {
	c.Common.check(report)
	checkAgainst(c.Against, report)
}

func (c *OwnSPFConfig) check(report func(key, problem string)) {
	c.Common.check(report)
	checkAgainst(c.Against, report)
	checkPublic(c.Addresses, report)
}

// checkPublic reports what can't be an address that others see.
func checkPublic(list []string, report func(key, problem string)) {
	for _, text := range list {
		if ip, err := netip.ParseAddr(text); err != nil || !public(ip) {
			report("addresses", "must be public IP addresses of this server")
		}
	}
}

// spfRow is the row of SPF of submitting hosts. Its failures are those of the domains that are asked about: no breaker.
func (c *Checks) spfRow() *one {
	cfg := c.cfg.SPF
	k := &one{name: "spf", settings: cfg.Common, from: AtMail, guard: c.askingMany("spf", cfg.Common)}
	k.look = func(ctx context.Context, r *Request, o *osm.Opinions) (err error) {
		m := r.Message
		if !m.Client.IsValid() || !public(m.Client) {
			return nil
		}
		if o.SPF, err = c.spf(ctx, m.Client, m.Helo, m.Sender); err == nil && slices.Contains(cfg.Against, o.SPF) {
			k.speak(o, "spf-"+o.SPF, m.Client.String()+" may not send for "+domainOr(m.Sender, m.Helo)+" (SPF "+o.SPF+")",
				osm.Key{Kind: osm.KeyClient, Value: m.Client.String()})
		}
		return err
	}
	return k
}

func domainOr(sender, helo string) string {
	if d := osm.Domain(sender); d != "" {
		return d
	}
	return helo
}

// askingMany makes the guard of a check that asks another party for each message.
func (c *Checks) askingMany(name string, settings Common) *guard {
	g := newGuard(name, time.Duration(settings.Deadline), c.now, c.log)
	g.never = true
	return g
}

// errTemporary says that a domain's own name servers gave no answer.
var errTemporary = errors.New("the sender's domain can't be looked up now (SPF temperror)")

// spf evaluates one domain for one address (RFC 7208 section 4). temperror comes with an error.
func (c *Checks) spf(ctx context.Context, client netip.Addr, helo, sender string) (string, error) {
	local, domain, _ := cutLast(sender, '@')
	if sender != "" {
		sender = local + "@" + canonical(domain)
	}
	result, _ := spf.CheckHostWithSender(client.Unmap().AsSlice(), canonical(helo), sender, spf.WithContext(ctx), spf.WithResolver(c.resolver))
	if result == spf.TempError {
		return string(result), errTemporary
	}
	return string(result), nil // the library's error only explains it
}

func cutLast(s string, b byte) (before, after string, ok bool) {
	if i := strings.LastIndexByte(s, b); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

// ownSPF remembers what receivers will find for mail of a domain that this server sends.
type ownSPF struct {
	addresses []netip.Addr
	results   *memory[string, spfResult] // by domain
}

type spfResult struct{ result string }

func (spfResult) size() int { return 64 }

// spfTime is how long a result is remembered: the library does not tell how long the records live.
const spfTime = 5 * time.Minute

// ownRow is the row of SPF of what leaves from here.
func (c *Checks) ownRow() *one {
	cfg := c.cfg.OwnSPF
	k := &one{name: "own_spf", settings: cfg.Common, from: AtMail, guard: c.askingMany("own_spf", cfg.Common)}
	conclude := func(m *osm.Message, o *osm.Opinions, result string) {
		o.OwnSPF = result
		if slices.Contains(cfg.Against, result) {
			domain := osm.Domain(m.Sender)
			k.speak(o, "own-spf-"+result, domain+" does not allow this server to send its mail (SPF "+result+"): receivers would refuse it",
				osm.Key{Kind: osm.KeySenderDomain, Value: strings.ToLower(domain)})
		}
	}
	k.quick = func(r *Request, o *osm.Opinions) bool {
		domain := osm.Domain(r.Message.Sender)
		if domain == "" || len(c.own.addresses) == 0 {
			return true
		}
		known, ok := c.own.results.get(canonical(domain), c.now())
		if ok {
			conclude(r.Message, o, known.result)
		}
		return ok
	}
	k.look = func(ctx context.Context, r *Request, o *osm.Opinions) error {
		result, err := c.ownResult(ctx, osm.Domain(r.Message.Sender))
		conclude(r.Message, o, result)
		return err
	}
	return k
}

// ownResult is the worst that a domain's SPF says of an address that this server sends from.
func (c *Checks) ownResult(ctx context.Context, domain string) (worst string, err error) {
	domain = canonical(domain)
	if known, ok := c.own.results.get(domain, c.now()); ok {
		return known.result, nil
	}
	for _, ip := range c.own.addresses {
		result, err := c.spf(ctx, ip, domain, "postmaster@"+domain)
		if err != nil {
			return result, err
		}
		if slices.Index(results, spf.Result(result)) > slices.Index(results, spf.Result(worst)) {
			worst = result
		}
	}
	c.own.results.put(domain, spfResult{worst}, c.now().Add(spfTime))
	return worst, nil
}

// publicAddresses are those that others see: the configured ones, or the public ones of this machine.
func publicAddresses(configured []string, machine []netip.Addr) (all []netip.Addr) {
	for _, text := range configured {
		if ip, err := netip.ParseAddr(text); err == nil {
			all = append(all, ip.Unmap())
		}
	}
	if len(configured) > 0 {
		return all
	}
	for _, ip := range machine {
		if public(ip) {
			all = append(all, ip.Unmap())
		}
	}
	return all
}
