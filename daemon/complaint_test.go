package daemon

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"osm/config"
	"osm/incident"
	"osm/store"
)

// sent is a message in the log whose Message-ID is that of the number, to two recipients.
func (d *running) sent(n int) (id string) {
	d.t.Helper()
	at := d.log.at.Add(time.Duration(n) * time.Second)
	id = messageID(at, 50_000+n)
	stamp := at.Format("2006-01-02 15:04:05")
	lines := fmt.Sprintf("%[1]s %[2]s <= ann@here.example H=client.example [192.0.2.7] P=esmtpsa A=plain:ann@here.example S=900 id=m%[3]d@here.example T=\"offer\" for bob@far.example eve@far.example\n"+
		"%[1]s %[2]s => bob@far.example R=dnslookup T=remote_smtp H=mx.far.example [198.51.100.1] C=\"250 OK\"\n%[1]s %[2]s Completed\n", stamp, id, n)
	f, err := os.OpenFile(d.cfg.Exim.Log, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(lines); err != nil {
		d.t.Fatal(err)
	}
	return id
}

// arf is a report about a message.
func arf(kind, recipient, id, messageID string, date time.Time) string {
	return "From: fbl@receiver.example\r\nContent-Type: multipart/report; report-type=feedback-report; boundary=x\r\n\r\n" +
		"--x\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: " + kind + "\r\nOriginal-Rcpt-To: " + recipient + "\r\n\r\n" +
		"--x\r\nContent-Type: message/rfc822\r\n\r\nReceived: from client.example by here.example with esmtpsa id " + id + "\r\n" +
		"Message-ID: <" + messageID + ">\r\nDate: " + date.Format(time.RFC1123Z) + "\r\n\r\nx\r\n--x--\r\n"
}

// complain hands in a report as osm complaint does.
func (d *running) complain(text string) (c Complained) {
	d.t.Helper()
	if err := d.control(http.MethodPost, "complaints", Report{Text: []byte(text)}, &c); err != nil {
		d.t.Fatal(err)
	}
	return c
}

func (d *running) complaintIncident() (found incident.Incident) {
	d.t.Helper()
	var all []incident.Incident
	if err := d.control(http.MethodGet, "incidents", nil, &all); err != nil {
		d.t.Fatal(err)
	}
	for _, i := range all {
		if i.Rule == complaintRule {
			found = i
		}
	}
	return found
}

// saved counts the complaints that the history has about a message.
func (d *running) saved(id string) (n int) {
	d.t.Helper()
	r, err := store.OpenReader(d.cfg.Store.Path)
	if err != nil {
		d.t.Fatal(err)
	}
	defer r.Close()
	trace, err := r.Trace(d.t.Context(), id)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, e := range trace.Events {
		if e.Kind == store.Complaint {
			n++
		}
	}
	return n
}

func TestComplaints(t *testing.T) {
	d := start(t, t.TempDir(), nil)
	id, other := d.sent(1), d.sent(2)
	at := d.log.at
	waitFor(t, "the message is in the history", func() bool {
		return d.complain(arf("not-spam", "", id, "m1@here.example", at)).Result == Ignored &&
			d.complain(arf("abuse", "bob@far.example", id, "m1@here.example", at)).Result != Unknown
	})
	for _, c := range []struct {
		what, text string
		want       Grievance
	}{
		{"the same once more", arf("abuse", "bob@far.example", id, "m1@here.example", at), Duplicate},
		{"the same in other letters", arf("fraud", "Bob@FAR.example", id, "m1@here.example", at), Duplicate},
		{"another recipient", arf("abuse", "eve@far.example", id, "m1@here.example", at), Charged},
		{"nobody who got it", arf("abuse", "mallory@far.example", id, "m1@here.example", at), Charged}, // as if he did not tell his name
		{"another nobody", arf("abuse", "oscar@far.example", id, "m1@here.example", at), Duplicate},
		{"a guessed id", arf("abuse", "mallory@far.example", other, "m1@here.example", time.Time{}), Unknown},
		{"a guessed id without Message-ID", arf("abuse", "mallory@far.example", other, "", at), Unknown},
		{"an id that is not there", arf("abuse", "bob@far.example", messageID(at, 999), "m9@here.example", at), Unknown},
		{"no id and a guessed Message-ID", arf("abuse", "bob@far.example", "", "m@here.example", at), Unknown},
		{"hostile ids", arf("abuse", "bob@far.example", "'; DROP TABLE--", "%\x00_", at), Unknown},
		{"no id", arf("abuse", "bob@far.example", "none", "m2@here.example", at), Charged},
		{"no id, at another time", arf("abuse", "eve@far.example", "none", "m2@here.example", at.AddDate(0, 0, -3)), Unknown},
		{"an id without Message-ID", arf("abuse", "eve@far.example", other, "", at), Charged},
		{"a letter", "From: x@y.example\r\n\r\nYour customer sends spam.\r\n", NoReport},
		{"nothing", "", NoReport},
	} {
		if got := d.complain(c.text); got.Result != c.want || got.Result == Charged && got.Key.String() != "login:ann@here.example" {
			t.Errorf("%s: %+v, want %s", c.what, got, c.want)
		}
	}
	const charged = 5
	if i := d.complaintIncident(); i.Messages != charged || i.Key.String() != "login:ann@here.example" || !strings.Contains(i.Detail, "eve@far.example") {
		t.Errorf("the incident: %+v", i)
	}
	waitFor(t, "they are in the history", func() bool { return d.saved(id) == 3 && d.saved(other) == 2 })
	d.stop()
	again := start(t, d.dir, nil)
	if got := again.complain(arf("abuse", "bob@far.example", id, "m1@here.example", at)); got.Result != Duplicate {
		t.Errorf("after a restart: %+v", got)
	}
	if i := again.complaintIncident(); i.Messages != charged {
		t.Errorf("after a restart: %+v", i)
	}
}

// TestOldComplaints: what was sent long ago is not charged any more.
func TestOldComplaints(t *testing.T) {
	d := start(t, t.TempDir(), func(c *config.Config) { c.Check.ARF.Within = 1 })
	id := d.sent(1)
	waitFor(t, "the message is in the history", func() bool {
		r, err := store.OpenReader(d.cfg.Store.Path)
		if err != nil {
			return false
		}
		defer r.Close()
		_, err = r.Message(t.Context(), id)
		return err == nil
	})
	if got := d.complain(arf("abuse", "bob@far.example", id, "m1@here.example", d.log.at)); got.Result != Unknown {
		t.Errorf("%+v", got)
	}
}

func TestComplaintsInMaildir(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"new", "cur", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, "mail", name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var early string
	put := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "mail", "new", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("0.letter", "Subject: no report\r\n\r\nx\r\n")
	put("1.huge", strings.Repeat("x", 5<<20))
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "mail", "new", "2.link")); err != nil {
		t.Fatal(err)
	}
	d := start(t, dir, func(c *config.Config) {
		c.Check.ARF.Mailbox, c.Check.ARF.Every = filepath.Join(dir, "mail"), 10_000_000
	})
	id := d.sent(1)
	early = arf("abuse", "bob@far.example", id, "m1@here.example", d.log.at) // perhaps before its message is saved
	put("3.complaint", early)
	put("4.again:2,", early)
	put("5.stranger", arf("abuse", "x@far.example", messageID(d.log.at, 999), "m9@here.example", time.Time{}))
	for _, name := range []string{"0.letter:2,S", "1.huge:2,S", "3.complaint:2,S", "4.again:2,"} {
		waitFor(t, name+" is done with", func() bool {
			_, err := os.Stat(filepath.Join(dir, "mail", "cur", name))
			return err == nil
		})
	}
	if n, i := d.saved(id), d.complaintIncident(); n != 1 || i.Messages != 1 {
		t.Errorf("%d complaints are saved; %+v", n, i)
	}
	for _, name := range []string{"2.link", "5.stranger"} { // the history may learn of the latter's message
		if _, err := os.Lstat(filepath.Join(dir, "mail", "new", name)); err != nil {
			t.Error(err)
		}
	}
}

// TestComplaintsOfNothing: reports of messages that are not there hold up nobody.
func TestComplaintsOfNothing(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"new", "cur"} {
		if err := os.MkdirAll(filepath.Join(dir, "mail", name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	d := start(t, dir, func(c *config.Config) {
		c.Check.ARF.Mailbox, c.Check.ARF.Every = filepath.Join(dir, "mail"), 10_000_000
	})
	id := d.sent(1)
	good := map[int]string{0: "bob@far.example", boxMost + 1: "", 2 * boxMost: "eve@far.example"} // whatever the order of a folder is
	for n := range 2*boxMost + 1 {
		text := arf("abuse", "x@far.example", messageID(d.log.at, 999), fmt.Sprintf("n%d@here.example", n), time.Time{})
		if to, ok := good[n]; ok {
			text = arf("abuse", to, id, "m1@here.example", d.log.at)
		}
		if err := os.WriteFile(filepath.Join(dir, "mail", "new", fmt.Sprintf("%03d", n)), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for n := range good {
		waitFor(t, "a complaint among many of nothing is done with", func() bool {
			_, err := os.Stat(filepath.Join(dir, "mail", "cur", fmt.Sprintf("%03d:2,S", n)))
			return err == nil
		})
	}
}

func TestComplaintsInMbox(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "mbox")
	d := start(t, dir, func(c *config.Config) { c.Check.ARF.Mailbox, c.Check.ARF.Every = path, 10_000_000 })
	first, second := d.sent(1), d.sent(2)
	waitFor(t, "the messages are in the history", func() bool {
		return d.complain(arf("abuse", "eve@far.example", second, "m2@here.example", d.log.at)).Result != Unknown
	})
	envelope := func(text string) string {
		return "From fbl@receiver.example Mon Nov 23 12:00:00 2026\n" + strings.ReplaceAll(text, "\r\n", "\n") + "\n"
	}
	add := func(text string) {
		t.Helper()
		f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteString(text); err != nil {
			t.Fatal(err)
		}
	}
	add(envelope("Subject: no report\n\nx\n") + envelope(arf("abuse", "bob@far.example", first, "m1@here.example", d.log.at)))
	waitFor(t, "the first is counted", func() bool { return d.complaintIncident().Messages == 2 })
	add(envelope(arf("abuse", "eve@far.example", first, "m1@here.example", d.log.at)))
	waitFor(t, "the next is counted", func() bool { return d.complaintIncident().Messages == 3 })
	if err := os.WriteFile(path, []byte(envelope(arf("abuse", "bob@far.example", second, "m2@here.example", d.log.at))), 0o600); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "a new file is read from its beginning", func() bool { return d.complaintIncident().Messages == 4 })
	// The log may be read later than the mailbox; the complaint after it tells that the early one was read.
	add(envelope(arf("abuse", "bob@far.example", messageID(d.log.at.Add(3*time.Second), 50_003), "m3@here.example", d.log.at)) +
		envelope(arf("abuse", "", second, "m2@here.example", d.log.at)))
	waitFor(t, "the one after the early one is counted", func() bool { return d.complaintIncident().Messages == 5 })
	early := d.sent(3)
	waitFor(t, "the early one is counted", func() bool { return d.complaintIncident().Messages == 6 })
	waitFor(t, "it is in the history", func() bool { return d.saved(early) == 1 })
}

// TestComplaintFlood: whoever hands in reports without an end gets told to come again, and memory is not filled.
func TestComplaintFlood(t *testing.T) {
	s := idleSession(t, nil)
	post := func() int {
		w := httptest.NewRecorder()
		s.handleComplaint(w, httptest.NewRequest(http.MethodPost, "/", strings.NewReader(`{"text":"eA=="}`)))
		return w.Code
	}
	if got := post(); got != http.StatusOK {
		t.Errorf("one: %d", got)
	}
	s.complaints.asking.Add(askingMost)
	if got := post(); got != http.StatusServiceUnavailable {
		t.Errorf("while there are %d: %d", askingMost, got)
	}
	s.complaints.asking.Add(-askingMost)
	if got := post(); got != http.StatusOK {
		t.Errorf("after them: %d", got)
	}
	for i := range 3 * seenMost {
		if !s.complaints.first(fmt.Sprint(i), "x@y.example") || s.complaints.first(fmt.Sprint(i), "X@y.example") || len(s.complaints.seen) > seenMost {
			t.Fatalf("complaint %d: %d are remembered", i, len(s.complaints.seen))
		}
	}
	b := complaintBox{session: s}
	for n := range 50 {
		for range boxMost {
			if b.keep(early{text: make([]byte, n*1000)}); len(b.again) > boxMost || len(b.again)*n*1000 > mboxMost {
				t.Fatalf("%d of %d bytes are to be tried again", len(b.again), n*1000)
			}
		}
	}
	b.keep(early{text: make([]byte, mboxMost+1)})
	if len(b.again) > 0 {
		t.Errorf("%d are to be tried again", len(b.again))
	}
}
