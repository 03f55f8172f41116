package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"osm"
	"osm/exim"
	"osm/sim"
	"osm/store"
	"osm/tail"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"osm": main})
}

// TestScripts runs testdata/script: the binary as people use it. Besides testscript's own commands there are
//
//	status N COMMAND...   the command must end with this exit status
//	history FILE          make a history with a few known messages
//	days FILE             make a history of the log of a small simulated server's last two days
//	ready                 wait until a daemon in the background says that it is
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("TZ", "UTC")
			return listenForReady(e)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"status": status, "history": makeHistory, "days": days, "ready": ready},
	})
}

func status(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status N COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit status %d, want %d", got, want)
	}
}

// day is when the ids of the messages below were made.
var day = time.Date(2026, 3, 10, 16, 32, 0, 0, time.UTC)

func days(ts *testscript.TestScript, neg bool, args []string) {
	now := time.Now().UTC()
	config := store.DefaultConfig()
	config.Path = ts.MkAbs(args[0])
	s, err := store.Open(config, now, slog.New(slog.DiscardHandler))
	ts.Check(err)
	defer s.Close()
	var log strings.Builder
	world := sim.New(sim.Config{Seed: 3, Accounts: 10, Days: 2, Start: now.Truncate(24*time.Hour).AddDate(0, 0, -2), LongIDs: true})
	ts.Check(world.WriteLog(&log, nil))
	parser, entry := exim.NewParser(time.UTC), exim.Entry{}
	for line := range tail.Lines(log.String()) {
		parser.Parse(line, &entry)
		s.Line(entry.Time, line)
	}
	ts.Check(s.Flush(now, nil))
}

// readySocket is where a script's daemon says that it is ready, as it does to systemd (sd_notify(3)).
type readySocket struct{}

func listenForReady(e *testscript.Env) error {
	path := filepath.Join(e.WorkDir, "notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return err
	}
	e.Defer(func() { socket.Close() })
	e.Values[readySocket{}] = socket
	e.Setenv("NOTIFY_SOCKET", path)
	return nil
}

func ready(ts *testscript.TestScript, neg bool, args []string) {
	socket, said := ts.Value(readySocket{}).(*net.UnixConn), make([]byte, 100)
	ts.Check(socket.SetReadDeadline(time.Now().Add(time.Minute)))
	n, err := socket.Read(said)
	ts.Check(err)
	if string(said[:n]) != daemon.SdNotifyReady {
		ts.Fatalf("the daemon says %q", said[:n])
	}
}

// makeHistory writes three messages: one by a login with every result, one by a script with hostile texts, one bounce.
func makeHistory(ts *testscript.TestScript, neg bool, args []string) {
	config := store.DefaultConfig()
	config.Path = ts.MkAbs(args[0])
	s, err := store.Open(config, day, slog.New(slog.DiscardHandler))
	ts.Check(err)
	defer s.Close()
	login := &osm.Message{ID: "1w0000-0000000012a-0001", Time: day, Class: osm.Login, Account: "shop", Login: "bob@example.com",
		Client: netip.MustParseAddr("192.0.2.7"), Helo: "laptop", Protocol: "esmtpsa", Auth: "plain", TLS: "TLS1.3",
		Sender: "bob@example.com", Recipients: []string{"a@far.example", "b@far.example", "c@far.example"}, Size: 2048,
		Subject: "Offer of the day", HasSubject: true}
	s.Line(day, "2026-03-10 16:32:00 1w0000-0000000012a-0001 <= bob@example.com H=(laptop) [192.0.2.7] P=esmtpsa")
	s.Arrival(login)
	for i, d := range []osm.Delivery{
		{Outcome: osm.Delivered, Recipient: "a@far.example", Code: 250},
		{Outcome: osm.Deferred, Recipient: "b@far.example", Code: 451, Text: "451 come again", Refusal: osm.Greylisted},
		{Outcome: osm.Failed, Recipient: "c@far.example", Code: 550, Text: "550 no such user", Refusal: osm.NoSuchUser},
	} {
		d.Time, d.Original, d.Router, d.Transport = day.Add(time.Duration(i+1)*time.Second), d.Recipient, "dnslookup", "remote_smtp"
		d.Host, d.IP, d.Port, d.Remote = "mx.far.example", netip.MustParseAddr("198.51.100.9"), 25, true
		s.Line(d.Time, fmt.Sprintf("a line about %s", d.Recipient))
		s.Delivery(login, &d)
	}
	script := &osm.Message{ID: "1w0000-0000000012b-0001", Time: day.Add(time.Minute), Class: osm.Local, Account: "alice",
		User: "alice", Script: osm.Script{Path: "/home/alice/\x1b[31mwww", Sure: osm.Probable}, Protocol: "local",
		Sender: "alice@example.org", Recipients: []string{"d@far.example"}, Size: 512, Subject: "evil \u202e \x1b]0;x\a\n<b>",
		HasSubject: true}
	s.Line(script.Time, "2026-03-10 16:33:00 1w0000-0000000012b-0001 <= alice@example.org U=alice P=local \x1b[2J")
	s.Arrival(script)
	bounce := &osm.Message{ID: "1w0000-0000000012c-0001", Time: day.Add(2 * time.Minute), Class: osm.Bounce,
		Parent: login.ID, Recipients: []string{"bob@example.com"}, Size: 1024}
	s.Line(bounce.Time, "2026-03-10 16:34:00 1w0000-0000000012c-0001 <= <> R=1w0000-0000000012a-0001 U=Debian-exim P=local")
	s.Arrival(bounce)
	s.Line(day, "forged\x1b[2J line")
	s.Event(store.Event{Time: day, Kind: store.Forged, Text: "forged\x1b[2J line"})
	ts.Check(s.Flush(day, nil))
}

// TestEveryCommandSaysWhatItWants holds what the help relies on.
func TestEveryCommandSaysWhatItWants(t *testing.T) {
	everyCommand(newProgram().root(), func(c *cobra.Command) {
		if c.Short == "" || c.Args == nil && c.HasParent() {
			t.Errorf("%s has no short description or takes any arguments", c.CommandPath())
		}
		if c.Short != "" && (strings.HasSuffix(strings.TrimSuffix(c.Short, " ..."), ".") || len(c.Short) > 90) {
			t.Errorf("%s: %q is not a short line without a full stop", c.CommandPath(), c.Short)
		}
	})
}

func newProgram() *program {
	var nothing bytes.Buffer
	return &program{in: &nothing, out: &nothing, err: &nothing, now: func() time.Time { return day }}
}

func everyCommand(c *cobra.Command, visit func(*cobra.Command)) {
	visit(c)
	for _, sub := range c.Commands() {
		everyCommand(sub, visit)
	}
}

var update = flag.Bool("update", false, "write the generated files anew")

// TestGeneratedCLI compares doc/cli.md with the commands.
func TestGeneratedCLI(t *testing.T) {
	var page bytes.Buffer
	page.WriteString("# The command line\n\nThe exit status of every command is 0 when it did what it was asked, 1 when it failed, and 2 when it was used wrongly or\n" +
		"the configuration has mistakes. Every command has `--help`; `man osm` and the pages named there tell the same as this one, and\n" +
		"`osm completion bash` (or zsh, or fish) makes the shell complete commands, flags and settings.\n" +
		"What strangers wrote (subjects, names, folders) is shown with control characters made visible.\n")
	everyCommand(newProgram().root(), func(c *cobra.Command) {
		if !c.HasSubCommands() {
			describe(&page, c)
		}
	})
	compare(t, "../../doc/cli.md", page.String())
}

// describe writes a command's part of the page.
func describe(page *bytes.Buffer, c *cobra.Command) {
	about := c.Long
	if about == "" {
		about = c.Short + "."
	}
	fmt.Fprintf(page, "\n## %s\n\n%s\n\n    %s\n", c.CommandPath(), about, c.UseLine())
	c.InitDefaultHelpFlag()
	if flags := c.LocalFlags().FlagUsages(); flags != "" {
		fmt.Fprintf(page, "\n```text\n%s```\n", flags)
	}
	if c.Example != "" {
		fmt.Fprintf(page, "\nFor example:\n\n```text\n%s\n```\n", c.Example)
	}
}

func compare(t *testing.T, name, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s is not what the program says (-want +got); \"make doc\" writes it anew:\n%s", name, diff)
	}
}
