package store

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"osm"
)

// noon is the clock of the tests.
var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func testConfig(t testing.TB) Config {
	cfg := DefaultConfig()
	cfg.Path = filepath.Join(t.TempDir(), "osm.db")
	return cfg
}

func openTest(t testing.TB, cfg Config, now time.Time) *Store {
	t.Helper()
	s, err := Open(cfg, now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

func flush(t testing.TB, s *Store, now time.Time, positions ...osm.Position) {
	t.Helper()
	if err := s.Flush(now, positions); err != nil {
		t.Fatal(err)
	}
}

// exampleID is the id that Exim would give to the n-th message of a time.
func exampleID(at time.Time, n int) string {
	return eximID{at.Unix(), int64(1000+n/3000)<<partBits | longParts + int64(n%3000)}.String()
}

// example is a message as the engine hands it over, all fields set.
func example(n int, at time.Time) *osm.Message {
	return &osm.Message{
		ID: exampleID(at, n), Time: at, Class: osm.Login, Account: "acme", Login: "bob@acme.example",
		Client: netip.MustParseAddr("192.0.2.7"), ClientPort: 40000 + uint16(n%1000), ClientHost: "host.acme.example",
		Helo: "bobs-laptop", ServerPort: 587, Country: "DE", ASN: 64500, Protocol: "esmtpsa", Auth: "plain",
		TLS: "TLS1.3:TLS_AES_256_GCM_SHA384:256", Sender: "Bob@acme.example", From: "bob@acme.example",
		Subject: fmt.Sprintf("Offer %d", n), HasSubject: true, Parent: "", Queue: "", Size: 4321,
		Recipients: []string{"ann@far.example", fmt.Sprintf("r%d@other.example", n)},
	}
}

// attempt is a delivery of such a message.
func attempt(m *osm.Message, recipient string, at time.Time, outcome osm.Outcome) *osm.Delivery {
	d := &osm.Delivery{Time: at, Outcome: outcome, Recipient: recipient, Original: recipient, Router: "dnslookup",
		Transport: "remote_smtp", Host: "mx.far.example", IP: netip.MustParseAddr("198.51.100.9"), Port: 25, Remote: true,
		Code: 250, Enhanced: "2.0.0"}
	switch outcome {
	case osm.Deferred:
		d.Code, d.Enhanced, d.Text, d.Refusal = 451, "4.7.1", "451 4.7.1 come again", osm.Greylisted
	case osm.Failed:
		d.Code, d.Enhanced, d.Text, d.Refusal = 550, "5.1.1", "550 5.1.1 no such user", osm.NoSuchUser
	}
	return d
}

// traffic makes mail as a hosting server has it, with its log lines: a world to fill databases with.
type traffic struct {
	dice  *rand.Rand
	n     int
	bytes int64 // of raw lines, with newlines
	lines int
}

func newTraffic(seed uint64) *traffic { return &traffic{dice: rand.New(rand.NewPCG(seed, seed))} }

func (w *traffic) line(s *Store, at time.Time, line string) {
	s.Line(at, line)
	w.bytes += int64(len(line)) + 1
	w.lines++
}

// message sends one: a script's with its cwd line or a login's; one recipient mostly; its deliveries follow at once.
func (w *traffic) message(s *Store, at time.Time) *osm.Message {
	w.n++
	stamp := at.Format("2006-01-02 15:04:05")
	user := w.dice.IntN(3000)
	m := &osm.Message{ID: exampleID(at, w.n), Time: at, Size: 500 + w.dice.Int64N(90000), HasSubject: true,
		Account: fmt.Sprintf("user%d", user), Sender: fmt.Sprintf("info%d@shop%d.example", user%3, user)}
	switch subject := w.dice.IntN(4); subject {
	case 0:
		m.Subject = fmt.Sprintf("[Shop %d] New order #%d", user, w.n)
	case 1:
		m.Subject = "Re: your question about our offer"
	default:
		m.Subject = fmt.Sprintf("Newsletter of week %d: what is new at shop %d", at.YearDay()/7, user)
	}
	from := ""
	if w.n%2 == 0 {
		m.Class, m.User, m.Protocol = osm.Local, m.Account, "local"
		m.Script = osm.Script{Path: fmt.Sprintf("/home/user%d/public_html", user), Sure: osm.Exact}
		w.line(s, at, fmt.Sprintf("%s cwd=%s 4 args: /usr/sbin/sendmail -t -i -f%s", stamp, m.Script.Path, m.Sender))
		from = fmt.Sprintf("U=%s P=local", m.User)
	} else {
		m.Class, m.Login, m.Protocol, m.Auth = osm.Login, m.Sender, "esmtpsa", "dovecot_login"
		m.Client, m.ClientPort = netip.AddrFrom4([4]byte{81, 2, byte(user >> 8), byte(user)}), uint16(w.dice.IntN(60000))
		m.TLS, m.Helo, m.ServerPort = "TLS1.3:TLS_AES_256_GCM_SHA384:256", fmt.Sprintf("[192.168.1.%d]", user%250), 465
		from = fmt.Sprintf("H=(%s) [%s]:%d P=esmtpsa X=%s CV=no A=dovecot_login:%s", m.Helo, m.Client, m.ClientPort, m.TLS,
			m.Login)
	}
	for range 1 + w.dice.IntN(8)/7*w.dice.IntN(4) {
		m.Recipients = append(m.Recipients, fmt.Sprintf("customer%d@mail%d.example", w.dice.IntN(400000), w.dice.IntN(200)))
	}
	w.line(s, at, fmt.Sprintf("%s %s <= %s %s S=%d id=%08x%08x@shop%d.example T=\"%s\" for %s", stamp, m.ID, m.Sender, from,
		m.Size, w.dice.Uint32(), w.dice.Uint32(), user, m.Subject, fmt.Sprint(m.Recipients)))
	s.Arrival(m)
	for _, r := range m.Recipients {
		w.deliver(s, m, r, at.Add(2*time.Second))
	}
	w.line(s, at, stamp+" "+m.ID+" Completed")
	s.Event(Event{Time: at.Add(2 * time.Second), Kind: Completed, ID: m.ID})
	return m
}

func (w *traffic) deliver(s *Store, m *osm.Message, recipient string, at time.Time) {
	d := &osm.Delivery{Time: at, Recipient: recipient, Original: recipient, Router: "dnslookup", Transport: "remote_smtp",
		Host: "mx1.mail.example", IP: netip.AddrFrom4([4]byte{203, 0, 113, byte(w.n)}), Port: 25, Remote: true, Code: 250}
	flag, text := "=>", fmt.Sprintf("C=\"250 2.0.0 OK  %d %x - gsmtp\"", at.Unix(), w.dice.Uint64())
	if w.dice.IntN(20) == 0 {
		d.Outcome, d.Refusal, d.Code, d.Enhanced = osm.Failed, osm.NoSuchUser, 550, "5.1.1"
		d.Text = "550 5.1.1 <" + recipient + ">: Recipient address rejected: User unknown in virtual mailbox table"
		flag, text = "**", ": SMTP error from remote mail server after RCPT TO:<"+recipient+">: "+d.Text
	}
	w.line(s, at, fmt.Sprintf("%s %s %s %s R=dnslookup T=remote_smtp H=mx1.mail.example [%s] X=TLS1.3:TLS_AES_256_GCM_SHA384:256 CV=yes %s",
		at.Format("2006-01-02 15:04:05"), m.ID, flag, recipient, d.IP, text))
	s.Delivery(m, d)
}
