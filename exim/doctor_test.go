package exim

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// fakeExim answers like an Exim of another make: the real one is asked in TestInspectReal.
func fakeExim(t *testing.T, version, options string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "exim")
	script := "#!/bin/sh\ncase $1 in\n-bV) cat <<'E'\n" + version + "\nE\n;;\n-bP) cat <<'E'\n" + options + "\nE\n;;\nesac\n"
	if err := os.WriteFile(path, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestInspect(t *testing.T) {
	version := "Exim version 4.99.1 #2 built 01-Jan-2026 10:00:00\nConfiguration file is /etc/exim.conf"
	for _, test := range []struct {
		name, options    string
		log              string
		syslog           bool
		missing, present string
		line             string
	}{
		{"plain", "log_file_path =\nlog_selector =\nspool_directory = /var/spool/exim", "/var/spool/exim/log/mainlog", false,
			"arguments", "size_reject", "log_selector = +arguments +pid +received_recipients +subject +received_sender " +
				"+sender_on_delivery +incoming_port +outgoing_port +millisec +address_rewrite +smtp_connection +all_parents"},
		{"cpanel", "log_file_path = /var/log/exim_%slog\nlog_selector = +incoming_port +smtp_connection +all_parents " +
			"+retry_defer +subject +arguments +received_recipients\nspool_directory = /var/spool/exim",
			"/var/log/exim_mainlog", false, "pid", "arguments", ""},
		{"all", "log_file_path = /l/%slog : syslog\nlog_selector = +all\nspool_directory = /s", "/l/mainlog", true, "", "pid",
			"log_selector = +all"},
		{"nothing", "log_file_path = syslog\nlog_selector = -all +pid\nspool_directory = /s", "", true, "size_reject", "pid", ""},
		{"less", "log_file_path = :syslog\nlog_selector = -size_reject\nspool_directory = /s", "", true, "size_reject", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			i, err := Inspect(t.Context(), fakeExim(t, version, test.options))
			if err != nil {
				t.Fatal(err)
			}
			if i.Version != "4.99.1" || i.ConfigFile != "/etc/exim.conf" {
				t.Errorf("version %q, configuration %q", i.Version, i.ConfigFile)
			}
			if i.MainLog() != test.log || i.Syslog() != test.syslog {
				t.Errorf("main log %q, syslog %v; want %q, %v", i.MainLog(), i.Syslog(), test.log, test.syslog)
			}
			has := func(name string) bool {
				return slices.ContainsFunc(i.Missing(), func(w Wish) bool { return w.Selector == name })
			}
			if test.missing != "" && !has(test.missing) || test.present != "" && has(test.present) {
				t.Errorf("missing are %v; want %q among them and not %q", i.Missing(), test.missing, test.present)
			}
			if test.line != "" && i.SelectorLine() != test.line {
				t.Errorf("line\n%s, want\n%s", i.SelectorLine(), test.line)
			}
		})
	}
}

func TestInspectOthers(t *testing.T) {
	if _, err := Inspect(t.Context(), fakeExim(t, "Postfix", "")); err == nil || !strings.Contains(err.Error(), "not seem") {
		t.Errorf("another program: %v", err)
	}
	if _, err := Inspect(t.Context(), "/nonexistent/exim"); err == nil {
		t.Error("a missing program is no error")
	}
}

func TestInspectReal(t *testing.T) {
	binary, err := FindBinary("/")
	if err != nil {
		t.Skip(err)
	}
	i, err := Inspect(t.Context(), binary)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(i.Version, "4.") || !filepath.IsAbs(i.ConfigFile) || i.Spool == "" {
		t.Errorf("%+v", i)
	}
	if want := "+" + Wishes()[0].Selector; !strings.Contains(i.SelectorLine(), want) {
		t.Errorf("%q does not have %s", i.SelectorLine(), want)
	}
}
