package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"osm"
	"osm/action"
	"osm/config"
	service "osm/daemon"
	"osm/exim"
	"osm/lab"
	"osm/panel"
	"osm/policy"
	"osm/store"
)

// demo shows osm at work on a real Exim of its own.
type demo struct {
	*program
	span   time.Duration // 0: until Ctrl-C
	attack lab.Attack
	way    exim.Way // in which Exim asks osm; "": it does not, osm only watches
	front  bool     // osm's gateway takes the mail for Exim
	keep   bool
	seed   uint64
}

func (p *program) demo() *cobra.Command {
	d := demo{program: p}
	c := &cobra.Command{
		Use:   "demo",
		Short: "Watch osm at work: a private Exim with real mail, then spam",
		Long: "Starts a real Exim of its own on loopback, in a temporary folder: the system's Exim, its users and its\n" +
			"files are not touched. People, a shop, a newsletter and scripts send mail through it; a florist writes to all of\n" +
			"her customers at once; after a while a stolen password, a hacked script and a program without a login begin to\n" +
			"send spam. What osm sees is shown line by line, until Ctrl-C or for the time given, and summed up at the end;\n" +
			"the pages are open meanwhile, at an address that is printed first. Without --active osm only watches; with it\n" +
			"Exim asks osm about every message, and what osm stops is really held or refused. With --gateway osm stands in\n" +
			"front of Exim and takes the mail that comes by SMTP; what scripts hand in Exim asks about by its rewrite rule.\n" +
			"Nothing is left behind. Needs root; installs Debian's " + lab.Package + " where there is no Exim.",
		Example: "  osm demo --for 40s\n  osm demo --active\n  osm demo --active=rewrite --for 40s\n  osm demo --gateway\n  osm demo --keep",
		Args:    cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if d.span < 0 {
				return wrongUsage("--for %s: must not be negative", d.span)
			}
			if d.way != "" && d.way != exim.ByACL && d.way != exim.ByRewrite {
				return wrongUsage("--active=%s: want %s or %s", d.way, exim.ByACL, exim.ByRewrite)
			}
			if d.front && d.way != "" {
				return wrongUsage("--gateway and --active exclude each other")
			}
			if d.front {
				d.way = exim.ByRewrite
			}
			d.attack = attackWithin(d.span)
			return d.run(c.Context())
		},
	}
	c.Flags().DurationVar(&d.span, "for", 0, "end by itself after this time (default: Ctrl-C ends it)")
	c.Flags().StringVar((*string)(&d.way), "active", "",
		"let Exim ask osm and do as it says: by ACLs, or with --active=rewrite by a rewrite rule")
	c.Flags().Lookup("active").NoOptDefVal = string(exim.ByACL)
	c.Flags().BoolVar(&d.front, "gateway", false, "put osm in front of Exim: mail comes by its gateway, and is held or refused there")
	c.Flags().BoolVar(&d.keep, "keep", false, "leave the folder with log, spool and history, for the other commands")
	c.Flags().Uint64Var(&d.seed, "seed", 1, "draws the people and what they send")
	return c
}

// run is the demo from the first to the last line.
func (d *demo) run(ctx context.Context) (err error) {
	if installed, err := lab.Install(d.err); err != nil {
		return err
	} else if installed {
		fmt.Fprintf(d.out, "Installed %s. Its service was not started.\n", lab.Package)
	}
	sink, err := lab.NewSink(lab.SinkOptions{Spam: lab.SpamMark, SpamAfter: 60, ListedAfter: 300, Keep: 1})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sink.Close()) }()
	town := lab.NewTown(d.seed)
	options := town.Options()
	options.Sink, options.Selector, options.Keep = sink, lab.SelectorBest, d.keep
	options.Ask = d.way
	if d.front {
		options.Main += "hosts_proxy = 127.0.0.1\n"
	}
	options.Log = slog.New(slog.NewTextHandler(d.err, nil))
	server, err := lab.Start(ctx, options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	cfg, err := d.configuration(server)
	if err != nil {
		return err
	}
	if err := d.learn(ctx, server, town, cfg); err != nil {
		return err
	}
	address, err := d.invite(ctx, cfg)
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "A private Exim runs in %s; people send through it, and osm follows its log.\n"+
		"From a made-up log of two weeks osm has learned who usually sends what (osm replay --learn).\n%s\n"+
		"In a browser, signed in: %s\n\n",
		server.Folder(), d.whatIsDone(), address)
	show := newPicture(d.out, d.now)
	show.active = d.way != ""
	bell, err := newPager(show.alert)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, bell.close()) }()
	cfg.Alert.Webhooks, cfg.Alert.GroupWait = []action.Webhook{bell.hook}, osm.Duration(time.Second)
	since := d.now()
	if err := d.watch(ctx, server, town, cfg, show); err != nil {
		return err
	}
	return d.close(context.WithoutCancel(ctx), cfg, show, since)
}

// whatIsDone says what becomes of what osm finds.
func (d *demo) whatIsDone() string {
	const held = "what is HELD waits in Exim's queue, "
	switch {
	case d.front:
		return "osm's gateway stands in front of Exim: " + held + "what is REFUSED is not taken. What scripts hand in Exim asks about by a rewrite rule."
	case d.way == exim.ByACL:
		return "Exim asks osm about every message from its ACLs: " + held + "what is REFUSED is not taken."
	case d.way == exim.ByRewrite:
		return "Exim asks osm by a rewrite rule: " + held + "what is REFUSED is returned to its sender."
	}
	return "It only watches: what it would hold or reject goes out all the same. (With --active it does not.)"
}

// attackWithin says when the spam begins: in good time to be seen, and soon.
func attackWithin(span time.Duration) lab.Attack {
	const enough = 48 * time.Second
	if span == 0 || span > enough {
		span = enough
	}
	return lab.Attack{Mailing: span / 12, Login: span / 4, Script: span / 2, Local: span * 3 / 4}
}

// configuration is that of an empty file, but for the places, and is written beside the log for osm's other commands.
func (d *demo) configuration(server *lab.Exim) (cfg config.Config, err error) {
	cfg = config.Defaults()
	at := func(name string) string { return filepath.Join(server.Folder(), name) }
	cfg.Exim.Log, cfg.Exim.Binary = server.LogPath(), server.Binary()
	cfg.Store.Path = at("osm.db")
	cfg.Control.Socket, cfg.Policy.Socket = at("control.sock"), server.PolicySocket()
	cfg.Enrich.Country = at("countries.mmdb")
	if cfg.Web.Listen, err = freeAddress(cfg.Web.Listen); err != nil {
		return cfg, err
	}
	if err := lab.WriteCountries(cfg.Enrich.Country); err != nil {
		return cfg, err
	}
	if d.way == exim.ByRewrite {
		if _, err := policy.CreateKey(rewriteKey(server)); err != nil {
			return cfg, err
		}
	}
	if d.front {
		stand(&cfg.Gateway, server)
	}
	d.config = at("osm.toml")
	return cfg, d.toFile(d.config, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "[exim]\nlog = %q\nbinary = %q\n[store]\npath = %q\n[control]\nsocket = %q\n"+
			"[policy]\nsocket = %q\n[enrich]\ncountry = %q\n[web]\nlisten = %q\n", cfg.Exim.Log, cfg.Exim.Binary, cfg.Store.Path,
			cfg.Control.Socket, cfg.Policy.Socket, cfg.Enrich.Country, cfg.Web.Listen)
		return err
	})
}

// learn gives osm a past: it learns who usually sends what from two weeks of a log, as osm replay --learn does on a
// server.
func (d *demo) learn(ctx context.Context, server *lab.Exim, town *lab.Town, cfg config.Config) error {
	path := filepath.Join(server.Folder(), "past.log")
	if err := d.toFile(path, func(w io.Writer) error { return town.WritePast(w, d.now()) }); err != nil {
		return err
	}
	quiet := *d.program
	quiet.out, quiet.err = io.Discard, io.Discard
	r := replaying{program: &quiet, cfg: cfg, summary: service.NewSummary(), options: service.ReplayOptions{Paths: []string{path},
		Panel: panel.Open(panel.DefaultConfig(), server.Root(), d.now())}}
	return r.learn(ctx)
}

func rewriteKey(server *lab.Exim) string { return filepath.Join(server.Folder(), "rewrite.key") }

// frame is the time between two pictures, and settle how long the demo waits at its end for deliveries on their way.
const (
	frame  = 200 * time.Millisecond
	settle = 3 * time.Second
)

// watch runs the daemon and the town side by side until ctx or the time is over, or one of them fails.
func (d *demo) watch(ctx context.Context, server *lab.Exim, town *lab.Town, cfg config.Config, show *picture) error {
	ready, front := make(chan struct{}), newEntrance()
	follower, err := service.New(cfg, service.Options{
		Logger:  slog.New(slog.NewTextHandler(show, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Watch:   service.Watch{Arrival: show.arrival, Delivery: show.delivery},
		Ready:   sync.OnceFunc(func() { close(ready) }),
		Panel:   panel.Open(panel.DefaultConfig(), server.Root(), d.now()),
		Queue:   func(context.Context) (*exim.Queue, error) { return server.Queue(), nil },
		Key:     rewriteKey(server),
		Gateway: front.open,
	})
	if err != nil {
		return err
	}
	following, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- untilTold(follower.Run(following), following) }()
	select {
	case <-ready:
	case err := <-ended:
		return err
	}
	if d.way != "" {
		err = d.untilAsked(ctx, server, ended)
	}
	if err == nil && d.front {
		err = front.use(ctx, server, ended)
	}
	if err == nil {
		err = d.play(ctx, server, town, show, ended)
	}
	if err == nil && d.way != "" {
		err = d.held(following, show)
	}
	if err != nil {
		return err
	}
	stop()
	return <-ended
}

// play lets the town send and redraws the picture.
func (d *demo) play(ctx context.Context, server *lab.Exim, town *lab.Town, show *picture, ended <-chan error) error {
	playing, stop := context.WithCancel(ctx)
	if d.span > 0 {
		defer time.AfterFunc(d.span, stop).Stop()
	}
	done := make(chan struct{})
	defer func() { stop(); <-done }()
	go func() {
		defer close(done)
		server.Play(playing, town.Letters(d.attack), func(l *lab.Letter, err error) {
			if playing.Err() == nil {
				show.sent(l, err)
			}
		})
	}()
	tick := time.NewTicker(frame)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			show.draw()
		case <-done:
			show.settle()
			return nil
		case err := <-ended:
			return err
		case <-server.Ended():
			return errors.New("the private Exim has ended by itself")
		}
	}
}

// close sums up.
func (d *demo) close(ctx context.Context, cfg config.Config, show *picture, since time.Time) error {
	show.end()
	reader, err := store.OpenReader(cfg.Store.Path)
	if err != nil {
		return err
	}
	report, err := reader.Report(ctx, store.ReportQuery{Since: since, Until: d.now(), Limit: 5})
	if err = errors.Join(err, reader.Close()); err != nil {
		return err
	}
	if err := writeReport(d.out, report, terminalWidth(d.out)); err != nil {
		return err
	}
	if d.keep {
		folder := filepath.Dir(cfg.Store.Path)
		fmt.Fprintf(d.out, "\nKept: %s\nLook at it with: osm search -c %s/osm.toml\n", folder, folder)
	}
	return nil
}
