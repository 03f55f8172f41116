package exim

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// seedSpoolFile is a -H file with all that osm reads, in the forms of several versions of Exim.
func seedSpoolFile() []byte {
	header := func(kind, text string) string { return fmt.Sprintf("%03d%s %s", len(text), kind, text) }
	variable := func(option, value string) string { return fmt.Sprintf("%s %d\n%s\n", option, len(value), value) }
	return []byte("1xVPZd-0006oo-2Y-H\n" +
		"a user 102 105\n<held@osm.test>\n1795423133 0\n-received_time_usec .792177\n--helo_name vm\n" +
		"-host_address [2001:db8::1]:54376\n-received_protocol esmtpsa\n--auth_id alice\n" +
		variable("-aclc _conn", "cvar") + variable("--aclm _osm_held", "too many new (V0ABC123)") +
		variable("-aclm 3", "-frozen 1\n") + // the text of an option
		variable("--(lsearch)aclm _quoted", "ab") + "-frozen 1795423135\n-unheard_of whatever\n" +
		"YY b@far.example\nNN a@far.example\nYN d@far.example\nNN c@far.example\n" +
		"5\nx@far.example\n\"a b#\"@far.example\ndigits@far.example7\n" +
		"y@far.example  0,-1 0,-1#3\nz@far.example errors@osm.test 15,0#1\n\n" +
		header("P", "Received: from [127.0.0.1] (helo=vm)\n\tby mx.osm.test with esmtp (Exim 4.96)\n") +
		header("*", "Subject: old\n") + header(" ", "Subject: =?utf-8?q?caf=C3=A9?=\n four five\n") +
		header("F", "From: held@osm.test\n"))
}

func TestParseSpoolHeader(t *testing.T) {
	m, err := ParseSpoolHeader(seedSpoolFile())
	if err != nil {
		t.Fatal(err)
	}
	if m.ID != "1xVPZd-0006oo-2Y" || m.User != "a user" || m.UID != 102 || m.GID != 105 || m.Sender != "held@osm.test" ||
		m.Client.String() != "2001:db8::1" || m.Protocol != "esmtpsa" || m.Login != "alice" || m.Helo != "vm" {
		t.Errorf("%+v", m)
	}
	if want := time.Unix(1795423133, 792177000); !m.Received.Equal(want) || m.Frozen.Unix() != 1795423135 {
		t.Errorf("received %v, frozen %v", m.Received, m.Frozen)
	}
	for name, want := range map[string]string{"acl_c_conn": "cvar", "acl_m3": "-frozen 1\n", "acl_m_quoted": "ab"} {
		if m.Variables[name] != want {
			t.Errorf("%s is %q, not %q", name, m.Variables[name], want)
		}
	}
	if id, text, ok := m.Verdict(); id != "V0ABC123" || text != "too many new (V0ABC123)" || !ok {
		t.Errorf("verdict %q, %q, %v", id, text, ok)
	}
	if want := []string{"b@far.example", "a@far.example", "d@far.example", "c@far.example"}; !slices.Equal(m.Delivered, want) {
		t.Errorf("delivered %q", m.Delivered)
	}
	if want := []string{"x@far.example", `"a b#"@far.example`, "digits@far.example7", "y@far.example", "z@far.example"}; !slices.Equal(m.Recipients, want) {
		t.Errorf("recipients %q", m.Recipients)
	}
	if got := m.Header("SUBJECT"); got != "café four five" || len(m.Headers) != 3 {
		t.Errorf("subject %q of %d headers", got, len(m.Headers))
	}
}

func TestVerdictOfQueued(t *testing.T) {
	for _, c := range []struct{ value, id string }{
		{"412 of 420 never mailed before (V1)", "V1"}, {"stopped", ""}, {"a (b c)", ""}, {NoVerdict, ""}, {")", ""},
	} {
		m := Queued{Variables: map[string]string{heldVariable: c.value}}
		if id, text, ok := m.Verdict(); id != c.id || text != c.value || !ok {
			t.Errorf("%q: %q, %q, %v", c.value, id, text, ok)
		}
	}
	if id, text, ok := new(Queued).Verdict(); id != "" || text != "" || ok {
		t.Errorf("a message that was not held has the verdict %q, %q", id, text)
	}
}

// TestTornSpoolHeaders cuts the file at every byte before the headers.
func TestTornSpoolHeaders(t *testing.T) {
	whole := seedSpoolFile()
	end := strings.Index(string(whole), "\n\n0")
	for n := range end {
		if m, err := ParseSpoolHeader(whole[:n]); err == nil {
			t.Fatalf("the first %d bytes are taken for a whole file: %+v", n, m)
		}
	}
}

// spoolSamples are -H files of a real Exim.
func spoolSamples(t testing.TB) []string {
	files, err := filepath.Glob("../../shared/data/exim-samples/spool/*-H")
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestSpoolSamples(t *testing.T) {
	files := spoolSamples(t)
	if len(files) == 0 {
		t.Skip("there are no spool samples in ../../shared/data/exim-samples/spool")
	}
	frozen, held := 0, 0
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		m, err := ParseSpoolHeader(data)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			continue
		}
		if len(m.Recipients) == 0 || m.Header("Subject") == "" || m.Received.IsZero() {
			t.Errorf("%s: %+v", path, m)
		}
		if !m.Frozen.IsZero() {
			frozen++
		}
		if m.Variables["acl_m_osm"] != "" {
			held++
		}
	}
	if frozen == 0 || held == 0 {
		t.Errorf("of %d files %d are frozen and %d have a variable", len(files), frozen, held)
	}
}

func FuzzParseSpoolHeader(f *testing.F) {
	f.Add(seedSpoolFile())
	for _, path := range spoolSamples(f) {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := ParseSpoolHeader(data)
		if err != nil {
			return
		}
		if !ValidID(m.ID) {
			t.Errorf("the id is %q", m.ID)
		}
		if _, err := m.Received.MarshalJSON(); err != nil {
			t.Error(err)
		}
		m.Header("Subject")
		m.Verdict()
	})
}

func BenchmarkParseSpoolHeader(b *testing.B) {
	data := seedSpoolFile()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := ParseSpoolHeader(data); err != nil {
			b.Fatal(err)
		}
	}
}
