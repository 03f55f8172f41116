// Package check asks for outside opinions about a message before it is accepted: DNS block lists, SPF, signatures and DMARC,
// greylisting, content scanners. Every check has a deadline, a bounded memory, a breaker, counters and a configured answer
// for when it fails. What they say goes into osm.Opinions; what follows from it is left to policy, who asks is left to
// daemon and gateway.
package check

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"osm"
)

// Stage is the point of the SMTP dialogue that a question comes from. What is known at a stage is known at the later ones.
type Stage uint8

const (
	AtConnect Stage = iota // the client's address, and its HELO where it has said it
	AtMail                 // the envelope sender
	AtRcpt                 // one recipient: Request.Recipient
	AtData                 // all recipients, and the content where the asker has it
)

// Request is what is known when a question comes.
type Request struct {
	Stage     Stage
	Message   *osm.Message // only read
	Recipient string       // the one that AtRcpt is about
	Taken     bool         // the mail server has the message already: asking the sender to come back would not reach him

	// Content is the message as it was received, headers first, lines ended by CRLF or LF, up to Checks.Limit bytes; nil where
	// the asker does not have it. Whole tells that nothing is missing at its end. Both only matter AtData.
	Content []byte
	Whole   bool

	reading *reading // of Content, begun by Look; nil without one
}

// content is what the content itself tells without asking anybody; empty where there is no content.
type content struct {
	links       []string // hosts of links, in small letters, once each
	linkCount   int
	attachments []string // media types
	extensions  []string // of the attachments' names
	encrypted   int      // archives among them that need a password
}

// Options are what Checks need besides their settings. Only Now is required.
type Options struct {
	Now    func() time.Time
	Logger *slog.Logger
	// Known tells whether a submitter has a past here, so that greylisting would only hurt; nil: nobody has.
	Known func(m *osm.Message) bool
	// Addresses are those of this machine; the public ones among them stand for what the configuration leaves out.
	Addresses []netip.Addr
}

// Checks are the configured checks. All methods may be called from any goroutine.
type Checks struct {
	cfg      Config
	now      func() time.Time
	log      *slog.Logger
	resolver *Resolver
	table    []*one
	dnsbl    *dnsbl
	own      ownSPF
	grey     *greylist
	watch    *own
	places   chan struct{} // one for each content that is being read
}

// one is a check that is configured.
type one struct {
	name     string
	settings Common
	from     Stage // the first stage at which it can say something
	content  int64 // bytes of content that it wants to see; 0: none
	guard    *guard
	// quick answers from memory alone; false: look has to be asked. May be nil.
	quick func(r *Request, o *osm.Opinions) bool
	// look writes what it finds into o, which is its own: it is merged when it returns in time. An error is a check that
	// failed; what it wrote counts all the same.
	look func(ctx context.Context, r *Request, o *osm.Opinions) error
}

// New makes the checks that a configuration enables. It asks nobody yet.
func New(cfg Config, o Options) *Checks {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	c := &Checks{cfg: cfg, now: o.Now, log: o.Logger, resolver: NewResolver(cfg.DNS, o.Now), places: newPlaces()}
	c.dnsbl = c.newDNSBL(cfg.DNSBL)
	c.add(c.dnsbl.row(int64(cfg.Content.Limit), c.askingMany("dnsbl", cfg.DNSBL.Common)))
	c.own = ownSPF{addresses: publicAddresses(cfg.OwnSPF.Addresses, o.Addresses), results: newMemory[string, spfResult](cfg.DNS.Remember)}
	c.add(c.spfRow())
	c.add(c.ownRow())
	c.add(c.dmarcRow())
	c.grey = newGreylist(cfg.Greylist)
	c.add(c.grey.row(o.Known, o.Now))
	c.watch = c.newOwn(cfg.Own, o.Addresses)
	c.add(cfg.Content.row(c.askingMany(contentName, cfg.Content.Common)))
	c.add(newRspamd(cfg.Rspamd).row())
	c.add(newSpamAssassin(cfg.SpamAssassin).row())
	return c
}

// Any tells whether there is a check at all.
func (c *Checks) Any() bool { return len(c.table) > 0 }

// Used tells whether anything is asked or looked up.
func (c *Checks) Used() bool { return c.Any() || c.Watches() }

// add puts a check into the table when it is enabled.
func (c *Checks) add(k *one) {
	if !k.settings.Enabled {
		return
	}
	if k.guard == nil {
		k.guard = newGuard(k.name, time.Duration(k.settings.Deadline), c.now, c.log)
	}
	c.table = append(c.table, k)
}

// Wants tells whether any check has something to say about a class of mail at a stage.
func (c *Checks) Wants(stage Stage, class osm.Class) bool {
	for _, k := range c.table {
		if k.about(stage, class) {
			return true
		}
	}
	return false
}

// about tells whether a check is asked about a class of mail at a stage. At the connection whoever comes from outside may yet log
// in: only what is about logins, too, is asked then.
func (k *one) about(stage Stage, class osm.Class) bool {
	classes := k.settings.Classes
	return k.from <= stage && slices.Contains(classes, class) &&
		(stage > AtConnect || class == osm.Localhost || slices.Contains(classes, osm.Login))
}

// Limit is how many bytes of content the checks want to see; 0: none of them reads it.
func (c *Checks) Limit() (most int64) {
	for _, k := range c.table {
		most = max(most, k.content)
	}
	return most
}

// grace is what a check may be late before it is left behind: its own deadline has ended it already.
const grace = 250 * time.Millisecond

// answer is what one check said.
type answer struct {
	k   *one
	o   *osm.Opinions
	err error
}

// Look asks every check that is about this message and can say something at this stage, all at once, and writes what they
// said into o. It returns when all have answered or their deadlines, or that of ctx, are over.
func (c *Checks) Look(ctx context.Context, r *Request, o *osm.Opinions) {
	if r.Content != nil {
		wanted, cancel := context.WithCancel(ctx)
		defer cancel()
		r.reading = c.read(wanted, r.Content)
	}
	all := make([]answer, 0, len(c.table))
	var slow []int
	for _, k := range c.table {
		if !k.about(r.Stage, r.Message.Class) {
			continue
		}
		a := answer{k: k, o: &osm.Opinions{}}
		if k.quick != nil && k.quick(r, a.o) {
			k.guard.fromMemory()
		} else {
			slow = append(slow, len(all))
		}
		all = append(all, a)
	}
	if len(slow) > 0 {
		c.wait(ctx, r, all, slow)
	}
	for _, a := range all { // in the table's order: of two that ask for the same it is always the same one that is named
		c.take(a, o)
	}
	r.reading.tell(ctx, o)
}

// wait asks those that can't answer from memory. Each has its own opinions, so that one that is left behind writes where
// nobody reads.
func (c *Checks) wait(ctx context.Context, r *Request, all []answer, asked []int) {
	type late struct {
		at int
		answer
	}
	answers := make(chan late, len(asked))
	longest := time.Duration(0)
	for _, at := range asked {
		k := all[at].k
		all[at] = answer{k, &osm.Opinions{}, errLate}
		longest = max(longest, time.Duration(k.settings.Deadline))
		go func() {
			own := &osm.Opinions{}
			err := k.guard.do(ctx, func(ctx context.Context) error { return k.look(ctx, r, own) })
			answers <- late{at, answer{k, own, err}}
		}()
	}
	within, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	overdue := make(chan struct{})
	defer context.AfterFunc(within, func() { time.AfterFunc(grace, func() { close(overdue) }) })()
	for range asked {
		select {
		case a := <-answers:
			all[a.at] = a.answer
		case <-overdue:
			return
		}
	}
}

var errLate = errors.New("no answer within its deadline")

// take merges one check's answer, and what follows from a failure.
func (c *Checks) take(a answer, o *osm.Opinions) {
	k := a.k
	a.o.Verdict.Shadow = k.settings.Shadow
	if a.err != nil {
		a.o.Failed = append(a.o.Failed, k.name)
		if a.o.Verdict.Action == osm.Accept {
			a.o.Verdict = osm.Verdict{Action: k.settings.OnFailure, Rule: k.rule(), Reason: Failed,
				Detail: "the check " + k.name + " gave no answer, try again later", Shadow: k.settings.Shadow}
		}
	}
	o.Merge(a.o)
}

// RulePrefix begins the rules of verdicts that checks ask for.
const RulePrefix = "check-"

// Failed is the reason of verdicts about mail that a check gave no answer about.
const Failed = "failed"

// rule is how verdicts name a check.
func (k *one) rule() string { return RulePrefix + k.name }

// speak makes the verdict of a check that speaks against a message; detail is in words and ends up in SMTP replies. Without
// a key it is charged to whom the detection charges the message to, and without evidence it is its own.
func (k *one) speak(o *osm.Opinions, reason, detail string, key osm.Key, evidence ...osm.Finding) {
	if k.settings.Action == osm.Accept {
		return
	}
	detail = osm.Printable(detail)
	if len(evidence) == 0 {
		evidence = []osm.Finding{{Fact: k.name, Value: detail, Weight: 1}}
	}
	o.Verdict = osm.Verdict{Action: k.settings.Action, Rule: k.rule(), Reason: reason, Detail: detail, Key: key, Findings: evidence}
}
