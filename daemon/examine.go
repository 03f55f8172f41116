package daemon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"osm"
	"osm/config"
	"osm/exim"
	"osm/store"
	"osm/tail"
	"osm/web"
)

// Examine looks at the configuration, Exim, its log and the history, and tells what it found. Nothing is changed.
func Examine(ctx context.Context, loaded *config.Loaded, now time.Time) []web.Finding {
	e := examination{loaded: loaded, now: now}
	e.all(ctx)
	return e.findings
}

// ExamineStatus tells what the running daemon's own words mean. Hooked tells whether Exim asks osm.
func ExamineStatus(status *web.Status, hooked bool) []web.Finding {
	var e examination
	e.status(status, hooked)
	return e.findings
}

// RightsPlace is where systemd finds the drop-in that gives the service more rights, and MoreRights puts it there.
const (
	RightsPlace = "/etc/systemd/system/osm.service.d/active.conf"
	MoreRights  = "install -D -m 644 " + exim.ServiceRights + " " + RightsPlace +
		" && systemctl daemon-reload && systemctl restart osm"
)

// Hooked tells whether the Exim of a configuration asks osm.
func Hooked(loaded *config.Loaded) bool {
	return (&exim.Installer{Binary: loaded.Exim.Binary}).Hooked()
}

// doctor is osm doctor for the page.
func (s *session) doctor(ctx context.Context) []web.Finding {
	loaded, err := s.inForce()
	if err != nil {
		return []web.Finding{{About: "configuration", State: web.Problem, Text: err.Error(), Do: "osm config check"}}
	}
	status := s.status(ctx)
	return append(Examine(ctx, loaded, time.Now()), ExamineStatus(&status, Hooked(loaded))...)
}

// examination gathers findings. Each look that fails is a finding, and the others go on.
type examination struct {
	loaded   *config.Loaded
	now      time.Time
	findings []web.Finding
}

func (e *examination) add(about string, s string, do, format string, args ...any) {
	e.findings = append(e.findings, web.Finding{About: about, State: s, Text: fmt.Sprintf(format, args...), Do: do})
}

func (e *examination) all(ctx context.Context) {
	e.add("configuration", web.Good, "", "%s", config.FilesText(e.loaded.Files))
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
			e.add("exim", web.Notice, "", "%v; a log can be followed without it", err)
			return nil
		}
		binary = found
	}
	i, err := exim.Inspect(ctx, binary)
	if err != nil {
		e.add("exim", web.Problem, "look at Exim's own configuration: exim -bV must work", "%v", err)
		return nil
	}
	e.add("exim", web.Good, "", "%s, version %s, configured in %s", i.Binary, i.Version, i.ConfigFile)
	missing := i.Missing()
	if len(missing) == 0 {
		e.add("log_selector", web.Good, "", "tells all that osm can use")
		return i
	}
	f := web.Finding{About: "log_selector", State: web.Notice, Text: "Exim could tell more:",
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
		e.add("history", web.Notice, "start the daemon: systemctl start osm, or osm serve", "there is none yet in %s", path)
		return
	}
	if err != nil {
		e.add("history", web.Problem, "", "%v", err)
		return
	}
	defer reader.Close()
	h, err := reader.Health(ctx)
	if err != nil {
		e.add("history", web.Problem, "", "%v", err)
		return
	}
	since := "nothing in it yet"
	if h.Days > 0 {
		since = fmt.Sprintf("%s since %s", osm.Count(h.Days, "day"), h.Oldest.Format(time.DateOnly))
	}
	e.add("history", web.Good, "", "%s, %s, %s used, at most %s are kept", h.Path, since, osm.ShortSize(h.Used),
		e.loaded.Store.MaxSize)
	if h.SetAside != "" {
		e.add("history", web.Notice, "delete it when it is of no more use", "a damaged database was set aside as %s", h.SetAside)
	}
	e.progress(ctx, reader)
	e.samples(ctx, reader)
}

// progress compares how far the logs have been read with how long they are.
func (e *examination) progress(ctx context.Context, reader *store.Reader) {
	positions, err := reader.SavedPositions(ctx)
	if err != nil {
		e.add("progress", web.Problem, "", "%v", err)
	}
	for _, at := range positions {
		s, text := behind(at)
		do := ""
		if s != web.Good {
			do = "if this does not change within a minute: does the daemon run?"
		}
		e.add("progress", s, do, "%s: %s", at.Path, text)
	}
}

// behind tells how much of a log is not yet in the history.
func behind(at osm.Position) (state, text string) {
	const usual = 4 << 20 // what a busy server may write between two looks
	info, err := os.Stat(at.Path)
	if err != nil {
		return web.Notice, err.Error()
	}
	file, ok := info.Sys().(*syscall.Stat_t)
	switch left := info.Size() - at.Offset; {
	case ok && (file.Ino != at.Inode || uint64(file.Dev) != at.Device):
		return web.Notice, "an older file of it is still being read"
	case left > usual:
		return web.Notice, osm.ShortSize(left) + " are not read yet"
	case left > 0:
		return web.Good, "read but for the last " + osm.ShortSize(left)
	default:
		return web.Good, "read to its end"
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
			e.add(look.about, web.Problem, "", "%v", err)
		case len(events) == 0:
			e.add(look.about, web.Good, "", "%s", look.no)
		default:
			f := web.Finding{About: look.about, State: web.Notice, Text: look.text, Do: look.do}
			for _, event := range events {
				f.Lines = append(f.Lines, event.Text)
			}
			e.findings = append(e.findings, f)
		}
	}
}

// status looks at what the running daemon tells.
func (e *examination) status(status *web.Status, hooked bool) {
	if status.Store.Problem != "" {
		e.add("daemon", web.Problem, "nothing is lost: the log is read on when it can be saved", "can't save since %s: %s",
			status.Store.Since.Format(time.DateTime), status.Store.Problem)
	}
	for _, log := range status.Logs {
		e.followed(&log)
	}
	e.rights(status, hooked)
	e.findings = append(e.findings, examineChecks(status.Checks)...)
	if status.Letters > 0 {
		e.add("alerts", web.Notice, "look at the [alert] table of the configuration", "%d have not arrived yet", status.Letters)
	}
	for _, text := range status.Notices {
		e.add("daemon", web.Notice, "", "%s", text)
	}
}

// rights tells what the daemon lacks to end holds. One that only watches needs no more.
func (e *examination) rights(status *web.Status, hooked bool) {
	if status.Rights != "" && (hooked || status.Held > 0) {
		e.add("held mail", web.Problem, "read "+exim.ServiceRights+" and then: "+MoreRights, "%s", status.Rights)
	}
}

// followed tells how one log is doing.
func (e *examination) followed(log *tail.Status) {
	if log.State.Bad() {
		do := "it is read again as soon as it is there; set exim.log when Exim writes to another place now"
		if log.State == tail.Unreadable {
			do = permissionHint(log.Log)
		}
		e.add("following", web.Problem, do, "%s: %s since %s: %s", log.Log, log.State, log.Since.Format(time.DateTime), log.Error)
	} else {
		e.add("following", web.Good, "", "%s: %s, %s behind", log.Log, log.State, osm.ShortSize(log.Behind))
	}
	if log.Gaps > 0 {
		e.add("following", web.Notice, "", "%s: lines may be missing in %s (%s), the last: %s", log.Log, osm.Count(log.Gaps, "place"),
			osm.ShortSize(log.LostBytes), log.LastGap)
	}
	for _, skipped := range log.Skipped {
		e.add("following", web.Notice, "", "a rotated file was not read: %s", skipped)
	}
}
