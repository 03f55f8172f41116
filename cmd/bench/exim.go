package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"osm/exim"
	"osm/lab"
)

// mails is a private Exim that only takes mail: it delivers nothing, so that nothing but taking is measured.
type mails struct {
	name string
	exim *lab.Exim
}

// newMails starts one that asks on a socket; "" asks nobody.
func newMails(ctx context.Context, name, socket string, uid int) (*mails, error) {
	o := lab.Options{Selector: lab.SelectorBest, Main: "queue_only = true\nsmtp_accept_max = 500\n"}
	if socket != "" {
		s, err := exim.Snippets{Socket: socket, EximUID: uid}.Ready()
		if err != nil {
			return nil, err
		}
		o.Main += "acl_smtp_data = osm_check_data\nacl_not_smtp = osm_check_not_smtp\n"
		o.ACL = s.ACLs() + s.Around(exim.AtData, "") + s.Around(exim.AtNotSMTP, "")
	}
	e, err := lab.Start(ctx, o)
	return &mails{name, e}, err
}

// smtp sends n messages over many connections, and tells how many Exim took in a second.
func (m *mails) smtp(ctx context.Context, n, connections int) (float64, error) {
	var left atomic.Int64
	left.Store(int64(n))
	letter := "Subject: an order\r\n\r\n" + strings.Repeat("One more line of a letter of the usual length.\r\n", 40)
	return m.together(n, connections, func() error {
		c, err := m.exim.Dial(ctx, m.exim.SMTP(), lab.Caller{})
		if err != nil {
			return err
		}
		defer c.Close()
		for i := left.Add(-1); i >= 0; i = left.Add(-1) {
			if err := lab.Transmit(c, fmt.Sprintf("app%d@osm.test", i%50), []string{fmt.Sprintf("r%d@far.example", i)}, letter); err != nil {
				return err
			}
		}
		return c.Quit()
	})
}

// local hands n messages in through sendmail.
func (m *mails) local(ctx context.Context, n, processes int) (float64, error) {
	var left atomic.Int64
	left.Store(int64(n))
	return m.together(n, processes, func() error {
		for i := left.Add(-1); i >= 0; i = left.Add(-1) {
			input := fmt.Sprintf("To: r%d@far.example\nSubject: an order\n\nDear customer.\n", i)
			if err := m.exim.Submit(ctx, lab.Submission{Input: input}); err != nil {
				return err
			}
		}
		return nil
	})
}

func (m *mails) together(n, at int, work func() error) (rate float64, err error) {
	errs := make([]error, at)
	var done sync.WaitGroup
	start := time.Now()
	for i := range at {
		done.Go(func() { errs[i] = work() })
	}
	done.Wait()
	if err := errors.Join(errs...); err != nil {
		return 0, fmt.Errorf("%s: %w", m.name, err)
	}
	return float64(n) / time.Since(start).Seconds(), nil
}

// exim compares a real Exim that asks osm with one that asks the bare server by the same snippet, and one that asks nobody.
func (b *bench) exim(ctx context.Context) (err error) {
	if missing := lab.Missing(); missing != nil {
		b.notes = append(b.notes, "exim is not measured: "+missing.Error())
		return nil
	}
	binary, err := exim.FindBinary("/")
	if err != nil {
		return err
	}
	user, err := exim.UserOf(ctx, binary)
	if err != nil {
		return err
	}
	dir, err := b.socketFolder()
	if err != nil {
		return err
	}
	var all []*mails
	for _, one := range []struct{ name, socket string }{{"Exim asking osm", filepath.Join(dir, policySocket)},
		{"Exim asking the bare server", filepath.Join(dir, echoSocket)}, {"Exim asking nobody", ""}} {
		m, err := newMails(ctx, one.name, one.socket, user.UID)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, m.exim.Stop()) }()
		all = append(all, m)
	}
	s, err := b.startServers(ctx, dir, all[0].exim.LogPath(), accepting)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	if err := b.turns(all, "accepted over SMTP, 16 connections", func(m *mails) (float64, error) { return m.smtp(ctx, 1600, 16) }); err != nil {
		return err
	}
	return b.turns(all, "accepted from sendmail, 4 at once", func(m *mails) (float64, error) { return m.local(ctx, 120, 4) })
}

// turns lets the three Exims take turns at something, the first round of which is not counted.
func (b *bench) turns(all []*mails, what string, measure func(*mails) (float64, error)) error {
	rates := make([][]float64, len(all))
	for round := range b.rounds + 1 {
		for i := range all {
			k := (i + round) % len(all) // nobody is always the first after a pause
			rate, err := measure(all[k])
			if err != nil {
				return err
			}
			if round > 0 {
				rates[k] = append(rates[k], rate)
			}
		}
	}
	osm, echo, nobody := rates[0], rates[1], rates[2]
	b.table.add(row{what: what, measured: fmt.Sprintf("%.0f/s asking osm", median(osm)), than: fmt.Sprintf("asking the bare server, %.0f/s", median(echo)),
		ratio: fmt.Sprintf("%.2f", median(ratios(osm, echo))), bar: "0.97"})
	b.table.add(row{what: "the same", measured: fmt.Sprintf("%.0f/s asking osm", median(osm)), than: fmt.Sprintf("asking nobody, %.0f/s", median(nobody)),
		ratio: fmt.Sprintf("%.2f", median(ratios(osm, nobody)))})
	return nil
}
