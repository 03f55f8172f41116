package lab

import (
	"errors"
	"net/netip"
	"net/smtp"
	"net/textproto"
	"testing"
)

// dialSink connects to the receiver of a domain.
func dialSink(t *testing.T, s *Sink, mx string) *smtp.Client {
	t.Helper()
	for _, r := range s.receivers {
		if r.mx != mx {
			continue
		}
		client, err := smtp.Dial(netip.AddrPortFrom(r.ip, s.port).String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { client.Close() })
		return client
	}
	t.Fatalf("no receiver is called %s", mx)
	return nil
}

func code(err error) int {
	var reply *textproto.Error
	if errors.As(err, &reply) {
		return reply.Code
	}
	return 0
}

func TestSinkRecipients(t *testing.T) {
	s := startSink(t, SinkOptions{})
	client := dialSink(t, s, "mx."+DomainY)
	if err := client.Mail("a@osm.test"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		to   string
		want int // 0 is accepted
	}{
		{"gone.x@" + DomainY, 554}, {"gone.x@" + DomainY, 554}, {"full.x@" + DomainY, 552},
		{"grey.x@" + DomainY, 451}, {"grey.x@" + DomainY, 0}, {"busy.x@" + DomainY, 421}, {"busy.x@" + DomainY, 0},
		{"anna@" + DomainY, 0},
	} {
		if err := client.Rcpt(c.to); code(err) != c.want || (err == nil) != (c.want == 0) {
			t.Errorf("%s: %v, want %d", c.to, err, c.want)
		}
	}
	w, err := client.Data()
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]byte("Subject: x\r\n\r\n.one dot\r\n"))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	m, err := s.Wait(within(t), func(m *Received) bool { return m.Sender == "a@osm.test" })
	if err != nil || string(m.Data) != "Subject: x\r\n\r\n.one dot\r\n" || len(m.Recipients) != 3 || m.To != "mx."+DomainY {
		t.Errorf("received %+v, %v", m, err)
	}
	if want := (Totals{Messages: 1, Recipients: 3, Refused: 5}); s.Totals() != want {
		t.Errorf("totals %+v, want %+v", s.Totals(), want)
	}
	if s.From("a@osm.test") != 1 || s.To("anna@"+DomainY) != 1 || s.To("gone.x@"+DomainY) != 0 {
		t.Error("the counts per address are wrong")
	}
}

// TestSinkSpam shows how the world answers to spam: it takes some, then refuses it, then lists us.
func TestSinkSpam(t *testing.T) {
	s := startSink(t, SinkOptions{Spam: SpamMark, SpamAfter: 2, ListedAfter: 3, Keep: 1})
	g, m := dialSink(t, s, "mx."+DomainG), dialSink(t, s, "mx."+DomainM)
	send := func(client *smtp.Client, text string) int {
		t.Helper()
		return code(Transmit(client, "a@osm.test", []string{"b@c.example"}, "Subject: x\r\n\r\n"+text+"\r\n"))
	}
	for i, c := range []struct {
		client *smtp.Client
		text   string
		want   int
	}{
		{g, SpamMark, 0}, {g, SpamMark, 0}, {g, SpamMark, 550}, {m, "hello", 0},
		{g, SpamMark, 550}, {g, "hello", 0}, {m, "hello", 550},
	} {
		if got := send(c.client, c.text); got != c.want {
			t.Errorf("message %d: answer %d, want %d", i, got, c.want)
		}
	}
	if want := (Totals{Messages: 4, Recipients: 4, Refused: 3, Spam: 2}); s.Totals() != want {
		t.Errorf("totals %+v, want %+v", s.Totals(), want)
	}
	if len(s.kept) != 1 {
		t.Errorf("%d messages are kept, want 1", len(s.kept))
	}
}
