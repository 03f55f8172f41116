package policy

import (
	"context"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"

	"osm"
)

// eximQuestion is what Exim's snippet asks at DATA.
const eximQuestion = "request=smtpd_access_policy\nprotocol_state=DATA\nprotocol_name=esmtpsa\nclient_address=192.0.2.17\nclient_port=4000\n" +
	"server_port=587\nhelo_name=pc17\nqueue_id=1xVPOh-0003K5-0B\nsender=bob@shop.example\nrecipient=\nrecipient_count=2\nsize=2000\n" +
	"sasl_method=plain\nsasl_username=bob@shop.example\nencryption_cipher=TLS1.3\nexim_uid=102\nexim_ident=\nexim_cwd_b64=\n" +
	"exim_subject_b64=WW91ciBvcmRlcg==\nexim_recipients_b64=YUBmYXIuZXhhbXBsZSwgYkBmYXIuZXhhbXBsZQ==\n"

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	b.SetBytes(int64(len(eximQuestion)))
	var p parser
	var r Request
	question := []byte(eximQuestion)
	for b.Loop() {
		if _, err := p.parse(&r, question); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkDecide is one message through ten rules with limits and conditions.
func BenchmarkDecide(b *testing.B) {
	var rules []Rule
	for i := range 5 {
		rules = append(rules, Rule{Name: fmt.Sprint("limit", i), Key: osm.KeyLogin, Window: osm.Duration(time.Hour), Limit: 1 << 40, Action: osm.Hold},
			Rule{Name: fmt.Sprint("condition", i), When: `subject contains "lottery" and recipient_count > 100`, Action: osm.Hold})
	}
	p, err := New(Options{Rules: rules})
	if err != nil {
		b.Fatal(err)
	}
	m := login("bob", monday, "a@far.example", "b@far.example")
	b.ReportAllocs()
	for b.Loop() {
		m.Time = m.Time.Add(time.Millisecond)
		if v := decide(p, m, osm.Verdict{}); v.Stops() {
			b.Fatal(v)
		}
	}
}

// BenchmarkServer asks over a unix socket, on one connection.
func BenchmarkServer(b *testing.B) {
	l, err := net.Listen("unix", filepath.Join(b.TempDir(), "s"))
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- NewServer(ServerOptions{Ask: func(*Request) osm.Verdict { return osm.Verdict{} }}).Serve(ctx, l)
	}()
	conn, err := net.Dial("unix", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	question, answer := []byte(eximQuestion+"\n"), make([]byte, len("action=DUNNO\n\n"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := conn.Write(question); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(conn, answer); err != nil {
			b.Fatal(err)
		}
	}
	conn.Close()
	cancel()
	if err := <-served; err != nil {
		b.Error(err)
	}
}
