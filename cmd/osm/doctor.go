package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"osm"
	"osm/config"
	"osm/daemon"
	"osm/exim"
	"osm/store"
	"osm/tail"
)

// state is how bad a finding of osm doctor is.
type state string

const (
	good    state = "ok"
	notice  state = "notice"  // could be better, or worth knowing
	problem state = "problem" // osm can't do its work
)

// finding is one thing that osm doctor looked at.
type finding struct {
	About string   `json:"about"`
	State state    `json:"state"`
	Text  string   `json:"text"`
	Do    string   `json:"do,omitempty"`    // what to do about it
	Lines []string `json:"lines,omitempty"` // samples
}

func (p *program) doctor() *cobra.Command {
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Tell what is found, readable, missing or stale, and what to do about it",
		Long: "Looks at the configuration, Exim, its log, the history and the daemon. Nothing is changed. The exit status is 1 when\n" +
			"there is a problem.",
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			loaded, err := p.load()
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(c.Context(), time.Minute)
			defer cancel()
			e := examination{loaded: loaded, now: p.now()}
			e.all(ctx)
			e.daemon(ctx, p)
			if err := p.showFindings(e.findings); err != nil {
				return err
			}
			for _, f := range e.findings {
				if f.State == problem {
					return errProblem
				}
			}
			return nil
		},
	}
	p.configFlag(c)
	p.jsonFlag(c)
	return c
}

func (p *program) showFindings(all []finding) error {
	if p.json {
		return writeJSON(p.out, all)
	}
	var b strings.Builder
	for _, f := range all {
		fmt.Fprintf(&b, "%-8s %s: %s\n", f.State, f.About, osm.Printable(f.Text))
		for _, line := range f.Lines {
			fmt.Fprintf(&b, "           | %s\n", osm.Printable(line))
		}
		if f.Do != "" {
			fmt.Fprintf(&b, "           %s\n", osm.Printable(f.Do))
		}
	}
	_, err := io.WriteString(p.out, b.String())
	return err
}

// examination gathers findings. Each look that fails is a finding, and the others go on.
type examination struct {
	loaded   *config.Loaded
	now      time.Time
	findings []finding
}

func (e *examination) add(about string, s state, do, format string, args ...any) {
	e.findings = append(e.findings, finding{About: about, State: s, Text: fmt.Sprintf(format, args...), Do: do})
}

func (e *examination) all(ctx context.Context) {
	e.add("configuration", good, "", "%s", filesText(e.loaded.Files))
	installation := e.exim(ctx)
	e.log(installation)
	e.history(ctx)
}

// exim looks at the mail server itself. It may be missing: following a log does not need it.
func (e *examination) exim(ctx context.Context) *exim.Installation {
	binary := e.loaded.Exim.Binary
	if binary == "" {
		found, err := exim.FindBinary("/")
		if err != nil {
			e.add("exim", notice, "", "%v; a log can be followed without it", err)
			return nil
		}
		binary = found
	}
	i, err := exim.Inspect(ctx, binary)
	if err != nil {
		e.add("exim", problem, "look at Exim's own configuration: exim -bV must work", "%v", err)
		return nil
	}
	e.add("exim", good, "", "%s, version %s, configured in %s", i.Binary, i.Version, i.ConfigFile)
	missing := i.Missing()
	if len(missing) == 0 {
		e.add("log_selector", good, "", "tells all that osm can use")
		return i
	}
	f := finding{About: "log_selector", State: notice, Text: "Exim could tell more:",
		Do: "optional: put this line " + i.SelectorPlace() + ":  " + i.SelectorLine()}
	for _, w := range missing {
		f.Lines = append(f.Lines, fmt.Sprintf("+%-20s %s", w.Selector, w.Gain))
	}
	e.findings = append(e.findings, f)
	return i
}

// history looks at the store and at what it kept for inspection.
func (e *examination) history(ctx context.Context) {
	path := e.loaded.Store.Path
	reader, err := store.OpenReader(path)
	if errors.Is(err, store.ErrNotFound) {
		e.add("history", notice, "start the daemon: systemctl start osm, or osm serve", "there is none yet in %s", path)
		return
	}
	if err != nil {
		e.add("history", problem, "", "%v", err)
		return
	}
	defer reader.Close()
	h, err := reader.Health(ctx)
	if err != nil {
		e.add("history", problem, "", "%v", err)
		return
	}
	since := "nothing in it yet"
	if h.Days > 0 {
		since = fmt.Sprintf("%d days since %s", h.Days, h.Oldest.Format(time.DateOnly))
	}
	e.add("history", good, "", "%s, %s, %s used, at most %s are kept", h.Path, since, bytesText(h.Used),
		e.loaded.Store.MaxSize)
	if h.SetAside != "" {
		e.add("history", notice, "delete it when it is of no more use", "a damaged database was set aside as %s", h.SetAside)
	}
	e.progress(ctx, reader)
	e.samples(ctx, reader)
}

// progress compares how far the logs have been read with how long they are.
func (e *examination) progress(ctx context.Context, reader *store.Reader) {
	positions, err := reader.SavedPositions(ctx)
	if err != nil {
		e.add("progress", problem, "", "%v", err)
	}
	for _, at := range positions {
		s, text := behind(at)
		do := ""
		if s != good {
			do = "if this does not change within a minute: does the daemon run?"
		}
		e.add("progress", s, do, "%s: %s", at.Path, text)
	}
}

// behind tells how much of a log is not yet in the history.
func behind(at osm.Position) (state, string) {
	const usual = 4 << 20 // what a busy server may write between two looks
	info, err := os.Stat(at.Path)
	if err != nil {
		return notice, err.Error()
	}
	file, ok := info.Sys().(*syscall.Stat_t)
	switch left := info.Size() - at.Offset; {
	case ok && (file.Ino != at.Inode || uint64(file.Dev) != at.Device):
		return notice, "an older file of it is still being read"
	case left > usual:
		return notice, bytesText(left) + " are not read yet"
	case left > 0:
		return good, "read but for the last " + bytesText(left)
	default:
		return good, "read to its end"
	}
}

// samples shows lines that need a human eye.
func (e *examination) samples(ctx context.Context, reader *store.Reader) {
	for _, look := range []struct {
		kind          store.EventKind
		about, no, do string
		text          string
	}{
		{store.Unknown, "unknown lines", "none is kept", "please report lines that Exim itself wrote",
			"these lines of the log were not understood"},
		{store.Forged, "forged lines", "none was seen",
			"find out what the user with this uid does: a folder name with a newline writes into Exim's log",
			"these lines bear signs that somebody else than Exim wrote them; osm did not act on them"},
	} {
		events, err := reader.Samples(ctx, look.kind, 5)
		switch {
		case err != nil:
			e.add(look.about, problem, "", "%v", err)
		case len(events) == 0:
			e.add(look.about, good, "", "%s", look.no)
		default:
			f := finding{About: look.about, State: notice, Text: look.text, Do: look.do}
			for _, event := range events {
				f.Lines = append(f.Lines, event.Text)
			}
			e.findings = append(e.findings, f)
		}
	}
}

// daemon asks the running daemon how it is.
func (e *examination) daemon(ctx context.Context, p *program) {
	status, err := tell[daemon.Status](ctx, p, http.MethodGet, "status", nil)
	if err != nil {
		e.add("daemon", notice, "start it: systemctl start osm, or osm serve", "%v", err)
		return
	}
	e.add("daemon", good, "", "answers on %s", e.loaded.Control.Socket)
	if status.Store.Problem != "" {
		e.add("daemon", problem, "nothing is lost: the log is read on when it can be saved", "can't save since %s: %s",
			status.Store.Since.Format(time.DateTime), status.Store.Problem)
	}
	for _, log := range status.Logs {
		e.followed(&log)
	}
	e.rights(&status, newInstaller(e.loaded).Hooked())
	if status.Letters > 0 {
		e.add("alerts", notice, "look at the [alert] table of the configuration", "%d have not arrived yet", status.Letters)
	}
	for _, text := range status.Notices {
		e.add("daemon", notice, "", "%s", text)
	}
}

// rights tells what the daemon lacks to end holds. One that only watches needs no more.
func (e *examination) rights(status *daemon.Status, hooked bool) {
	if status.Rights != "" && (hooked || status.Held > 0) {
		e.add("held mail", problem, "read "+exim.ServiceRights+" and then: "+moreRights, "%s", status.Rights)
	}
}

// followed tells how one log is doing.
func (e *examination) followed(log *tail.Status) {
	if log.State.Bad() {
		do := "it is read again as soon as it is there; set exim.log when Exim writes to another place now"
		if log.State == tail.Unreadable {
			do = permissionHint(log.Log)
		}
		e.add("following", problem, do, "%s: %s since %s: %s", log.Log, log.State, log.Since.Format(time.DateTime), log.Error)
	} else {
		e.add("following", good, "", "%s: %s, %s behind", log.Log, log.State, bytesText(log.Behind))
	}
	if log.Gaps > 0 {
		e.add("following", notice, "", "%s: lines may be missing in %d places (%s), the last: %s", log.Log, log.Gaps,
			bytesText(log.LostBytes), log.LastGap)
	}
	for _, skipped := range log.Skipped {
		e.add("following", notice, "", "a rotated file was not read: %s", skipped)
	}
}
