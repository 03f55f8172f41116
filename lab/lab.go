// Package lab runs a real Exim of its own: a private configuration, spool and log in a temporary folder, unix users and
// home folders that exist for it alone, a sink that takes (and refuses) what it sends, and people who send through it.
// The demo shows osm with it, and the integration tests of other rooms are tried against it. The system's own Exim, its
// configuration and its users are never touched, and nothing is left when it stops or is killed.
// It knows nothing of what osm makes of the mail; it is imported by cmd/osm and by tests only.
package lab

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"osm/exim"
)

// Host is the name of the lab's mail server, and Domain the local domain that always exists.
const (
	Host   = "mx.osm.test"
	Domain = "osm.test"
)

// Log selectors to run the lab with.
const (
	// SelectorDebian is what Debian's packages set: no subject, no recipients on arrival, no cwd.
	SelectorDebian = "+smtp_protocol_error +smtp_syntax_error +tls_certificate_verified +tls_peerdn"
	// SelectorCPanel is cPanel's: subject, arguments and recipients, without pid.
	SelectorCPanel = "+incoming_port +smtp_connection +all_parents +retry_defer +subject +arguments +received_recipients"
	// SelectorBest tells osm all that it can use.
	SelectorBest = "+arguments +subject +received_recipients +received_sender +sender_on_delivery +incoming_port " +
		"+outgoing_port +pid +millisec +address_rewrite +size_reject +smtp_connection +all_parents"
)

// Account is a mailbox whose owner may log in over SMTP.
type Account struct {
	Address  string // the login too
	Password string
}

// Options says what kind of server the lab is. The zero value has no accounts and knows no way out.
type Options struct {
	Selector string   // log_selector; "" is SelectorDebian
	Domains  []string // local domains besides Domain

	Accounts []Account
	Aliases  map[string]string // address, or *@domain, -> comma separated addresses or Exim's :fail:, :blackhole: ...
	Users    []string          // unix users, each with /home/NAME
	Owners   map[string]string // domain -> unix user, told by map files such as cPanel's below Root

	// Sink takes all mail for other domains. Without one such mail is deferred.
	Sink *Sink

	// More text for the sections of the configuration. An option that Main sets replaces the lab's own. Routers come
	// before the lab's. The lab's ACL for RCPT is called lab_rcpt: other ACLs may call it.
	Main, ACL, Rewrite, Routers, Transports string

	// Ask makes Exim ask at PolicySocket about all mail, by its ACLs or by a rewrite rule; "" asks nobody. Without an
	// answer mail goes its way, or waits when AskClosed is set.
	Ask       exim.Way
	AskClosed bool

	// QueueEvery is the pause between queue runs, in whole seconds; 0 has no queue runner.
	QueueEvery time.Duration

	Keep bool // Stop leaves the folder: log, spool and what else was put there

	Log *slog.Logger // where the lab says what it cleaned up; nil is silent
}

// Exim is a running private mail server. Its methods may be called from many goroutines.
type Exim struct {
	options Options
	folder  string // everything of this lab's on disk
	lock    *os.File
	binary  string

	configPath string // where this Exim looks for its configuration, seen from inside
	uid        int    // of Exim's own user
	gid        int
	users      map[string]unixUser
	inside     *namespace
	daemon     *exec.Cmd
	ended      chan struct{} // closed when the daemon has ended
	failure    error         // how it ended

	smtp, submission netip.AddrPort
	front            netip.AddrPort // takes the letters in place of both; invalid: there is none
	certificate      *certificate
}

// Missing tells why a lab can't run here: not root, no Exim, no namespaces. Tests skip with it.
func Missing() error {
	if os.Geteuid() != 0 {
		return errors.New("a private Exim needs root")
	}
	if _, err := exim.FindBinary("/"); err != nil {
		return err
	}
	probe, err := newNamespace("true")
	if err != nil {
		return err
	}
	probe.close()
	return nil
}

// Start makes the folder, the configuration and the users, and starts Exim. What crashed labs left is removed first. ctx
// bounds the start; the lab runs until Stop.
func Start(ctx context.Context, o Options) (*Exim, error) {
	if err := sweep(o.Log); err != nil {
		return nil, err
	}
	binary, err := exim.FindBinary("/")
	if err != nil {
		return nil, err
	}
	e := &Exim{options: o, binary: binary}
	if err := e.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("start a private Exim: %w", err), e.Stop())
	}
	return e, nil
}

func (e *Exim) start(ctx context.Context) (err error) {
	if e.folder, e.lock, err = newFolder(); err != nil {
		return err
	}
	if err = e.furnish(); err != nil {
		return err
	}
	if e.inside, err = newNamespace(e.binds()); err != nil {
		return err
	}
	if err = e.ConfigCheck(ctx); err != nil {
		return err
	}
	return e.startDaemon(ctx)
}

// Stop ends Exim and every process that it started, and removes the folder. It may be called twice.
func (e *Exim) Stop() error {
	var failures []error
	if e.daemon != nil {
		if err := e.daemon.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			failures = append(failures, fmt.Errorf("stop Exim: %w", err))
		}
	}
	if e.inside != nil {
		failures = append(failures, e.inside.close())
	}
	if e.daemon != nil {
		<-e.ended
	}
	if e.lock != nil {
		failures = append(failures, e.leave(), e.lock.Close())
	}
	e.daemon, e.inside, e.lock = nil, nil, nil
	return errors.Join(failures...)
}

// Folder is the lab's folder; everybody may look into it.
func (e *Exim) Folder() string { return e.folder }

// LogPath is the main log.
func (e *Exim) LogPath() string { return filepath.Join(e.folder, "log", "mainlog") }

// Binary is Exim's program.
func (e *Exim) Binary() string { return e.binary }

// SMTP is the address that other mail servers would call (port 25 elsewhere).
func (e *Exim) SMTP() netip.AddrPort { return e.smtp }

// Submission is the address for mail programs (port 587 elsewhere). Both behave alike.
func (e *Exim) Submission() netip.AddrPort { return e.submission }

// Behind says that another server stands in front of this one: from now on letters go there. It must know the lab's
// Certificate, and believe Proxied when it tells a client's address.
func (e *Exim) Behind(front netip.AddrPort) { e.front = front }

// Certificate names the files of the server's certificate and its key.
func (e *Exim) Certificate() (cert, key string) {
	return e.path("exim", "cert.pem"), e.path("exim", "key.pem")
}

// Ended is closed when the daemon is no longer there.
func (e *Exim) Ended() <-chan struct{} { return e.ended }
