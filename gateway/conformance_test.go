package gateway_test

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"osm/gateway"
	"osm/lab"
)

// model is a real upstream whose answers the gateway has to give.
type model struct {
	name       string
	plain, tls string // addresses
	handOn     gateway.HandOn
}

// TestConformance holds the dialogues of testdata/dialogues.txt with a real Exim and a real Postfix, straight and through the
// gateway. The answers are the same but for what doc/gateway.md says, and what it says is true.
func TestConformance(t *testing.T) {
	all := readDialogues(t)
	for _, start := range []func(*testing.T) model{modelExim, modelPostfix} {
		t.Run(name(start), func(t *testing.T) {
			m := start(t)
			page := readDifferences(t, m.name)
			cfg := settings(m.plain)
			cfg.ListenTLS, cfg.HandOn, cfg.Name = []string{"127.0.0.1:0"}, m.handOn, lab.Host
			cfg.Certificate, cfg.Key, _ = writeCertificate(t, t.TempDir(), "gate.osm.test")
			f := newFront(t, cfg, nil)
			through := model{plain: f.Addresses()[0].String(), tls: f.Addresses()[1].String()}
			t.Run("all", func(t *testing.T) {
				for _, d := range all {
					t.Run(d.name, func(t *testing.T) {
						t.Parallel()
						page.compare(t, d.hold(t, m), d.hold(t, through))
					})
				}
			})
			page.unused(t)
			swaksConforms(t, m, through)
		})
	}
}

func name(start func(*testing.T) model) string {
	full := regexp.MustCompile(`model(\w+)$`).FindStringSubmatch(nameOf(start))
	return full[1]
}

// dialogue is one of the file's.
type dialogue struct {
	name  string
	tls   bool
	steps []step
}

// step is what is sent at once, and the commands in it that are answered.
type step struct {
	text     string
	commands []string
	startTLS bool
}

func readDialogues(t *testing.T) []dialogue {
	t.Helper()
	text, err := os.ReadFile("testdata/dialogues.txt")
	if err != nil {
		t.Fatal(err)
	}
	var all []dialogue
	joined := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		if title, ok := strings.CutPrefix(line, "== "); ok {
			all = append(all, dialogue{name: title, tls: strings.Contains(title, "(TLS)")})
			continue
		}
		d := &all[len(all)-1]
		line, more := strings.CutSuffix(line, ` \`)
		one := readStep(t, line)
		if joined {
			last := &d.steps[len(d.steps)-1]
			last.text, last.commands = last.text+one.text, append(last.commands, one.commands...)
		} else {
			d.steps = append(d.steps, one)
		}
		joined = more || line[0] == '+'
	}
	return all
}

// words are what stands for something else in a line.
var words = regexp.MustCompile(`!(plain|word|size|long) (\S+)(?: (\S+))?`)

func readStep(t *testing.T, line string) step {
	t.Helper()
	if line == "!tls" {
		return step{startTLS: true}
	}
	said, silent := strings.CutPrefix(line, "+")
	text := ""
	if said[0] == '"' {
		var err error
		if text, err = strconv.Unquote(said); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
	} else {
		text = words.ReplaceAllStringFunc(said, expand) + "\r\n"
	}
	if silent && !strings.HasSuffix(text, ".\r\n") {
		return step{text: text, commands: strings.Split(strings.TrimSuffix(text, "\r\n"), "\r\n")}
	}
	return step{text: text, commands: []string{command(said, text)}}
}

func expand(s string) string {
	w := words.FindStringSubmatch(s)
	switch w[1] {
	case "plain":
		return base64.StdEncoding.EncodeToString([]byte("\x00" + w[2] + "\x00" + w[3]))
	case "word":
		return base64.StdEncoding.EncodeToString([]byte(w[2]))
	}
	n, err := strconv.Atoi(w[2])
	if err != nil {
		panic(err) // the file is wrong
	}
	if w[1] == "long" {
		return "NOOP " + strings.Repeat("x", n)
	}
	return strings.Repeat(strings.Repeat("x", 68)+"\r\n", n) + "."
}

// command is what doc/gateway.md calls something that is sent.
func command(said, text string) string {
	switch {
	case strings.HasPrefix(text, "DATA\r\n") && text != "DATA\r\n":
		return "DATA with content"
	case strings.HasPrefix(text, "EHLO") && strings.Count(text, "\n") > 1, strings.HasPrefix(text, "STARTTLS\r\nMAIL"):
		return text[:strings.Index(text, "\r")] + " with more"
	case strings.HasSuffix(text, ".\r\n") && !strings.HasPrefix(text, "BDAT") && !strings.Contains(said, "TO:"):
		return "the end of the content"
	case said[0] == '"':
		first, _, _ := strings.Cut(text, "\r\n")
		return strings.TrimSuffix(first, "\n")
	}
	return said
}

// exchange is a command and its answer, "closed" when there is none any more.
type exchange struct{ command, answer string }

const closed = "closed"

// hold has the dialogue with a server.
func (d *dialogue) hold(t *testing.T, with model) []exchange {
	t.Helper()
	address := with.plain
	if d.tls {
		address = with.tls
	}
	c := dialFrom(t, address, netip.MustParseAddr("127.0.0.3"))
	defer c.conn.Close()
	if d.tls {
		c.encrypt()
	}
	all := []exchange{{"the connection", answer(c)}}
	for _, s := range d.steps {
		if s.startTLS {
			c.encrypt()
			continue
		}
		if _, err := c.conn.Write([]byte(s.text)); err != nil && len(s.commands) == 0 {
			t.Fatal(err)
		}
		for _, said := range s.commands {
			one := exchange{said, answer(c)}
			all = append(all, one)
			if one.answer == closed {
				return all
			}
		}
	}
	return all
}

// encrypt begins TLS. Whose certificate it is, is not what is looked at here.
func (c *talker) encrypt() {
	c.t.Helper()
	secure := tls.Client(c.conn, &tls.Config{InsecureSkipVerify: true})
	if err := secure.Handshake(); err != nil {
		c.t.Fatal(err)
	}
	*c = *talk(c.t, secure)
}

// own are a server's names for things, which differ each time.
var own = regexp.MustCompile(`(id=|queued as )\S+`)

func answer(c *talker) string {
	text := own.ReplaceAllString(c.read(), "${1}ID")
	if text == "" {
		return closed
	}
	return strings.TrimRight(strings.ReplaceAll(text, "\r\n", " / "), " /")
}

func modelExim(t *testing.T) model {
	t.Helper()
	if err := lab.Missing(); err != nil {
		t.Skip(err)
	}
	out, err := lab.NewSink(lab.SinkOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { out.Close() })
	plain, encrypted := deadAddress(t), deadAddress(t)
	exim := func(address string) string { return "[" + strings.Replace(address, ":", "]:", 1) }
	_, port, _ := net.SplitHostPort(encrypted)
	e, err := lab.Start(t.Context(), lab.Options{Sink: out, Accounts: []lab.Account{{Address: "ann@osm.test", Password: "secret"}},
		Main: "local_interfaces = <; " + exim(plain) + " ; " + exim(encrypted) + "\ntls_on_connect_ports = " + port + `
hosts_proxy = 127.0.0.1
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
message_size_limit = 100K
smtp_max_synprot_errors = 30
smtp_max_unknown_commands = 30
queue_only = true
acl_smtp_mail = model_mail
acl_smtp_rcpt = model_rcpt
acl_smtp_data = model_data
`, ACL: `
model_mail:
  deny senders = banned@osm.test
       message = this sender is banned
  accept
model_rcpt:
  deny  local_parts = no
        message = nobody here of that name
  deny  local_parts = many
        message = nobody here\nof that name
  defer local_parts = later
        message = come again
  accept
model_data:
  deny senders = content@osm.test
       message = not this
  accept
`})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Stop(); err != nil {
			t.Error(err)
		}
	})
	return model{"Exim", plain, encrypted, gateway.ByProxy}
}

func modelPostfix(t *testing.T) model {
	t.Helper()
	certificate, key, _ := writeCertificate(t, t.TempDir(), "mx.osm.test")
	encrypted := deadAddress(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	p, err := lab.StartPostfix(ctx, lab.PostfixOptions{Main: `
smtpd_authorized_xclient_hosts = 127.0.0.1
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_tls_cert_file = ` + certificate + `
smtpd_tls_key_file = ` + key + `
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:` + newAuthServer(t) + `
smtputf8_enable = yes
message_size_limit = 102400
smtpd_error_sleep_time = 0
smtpd_delay_reject = no
smtpd_sender_restrictions = check_sender_access inline:{banned@osm.test=REJECT}
smtpd_recipient_restrictions = check_recipient_access inline:{{no@far.example=550 5.1.1 nobody here},{many@far.example=550 5.1.1 nobody here},{later@far.example=450 4.2.1 come again}}
smtpd_end_of_data_restrictions = check_sender_access inline:{content@osm.test=REJECT}
smtpd_client_connection_count_limit = 0
`, Master: encrypted + " inet n - n - 40 smtpd -o smtpd_tls_wrappermode=yes\ntlsmgr unix - - n 1000? 1 tlsmgr\n"})
	if errors.Is(err, lab.ErrNoPostfix) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(p.Logged())
		}
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return model{"Postfix", p.SMTP().String(), encrypted, gateway.ByXclient}
}

// swaksConforms sends with a program that people use to try mail servers, in several ways, and compares the answers' codes and
// how it ends.
func swaksConforms(t *testing.T, straight, through model) {
	t.Helper()
	program, err := exec.LookPath("swaks")
	if err != nil {
		t.Log("swaks is not installed")
		return
	}
	letter := filepath.Join(t.TempDir(), "letter")
	if err := os.WriteFile(letter, []byte("Subject: by swaks\n\n.a dot\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, more := range [][]string{{}, {"--pipeline"}, {"--tls"}, {"--tls", "--auth", "PLAIN", "--auth-user", "ann@osm.test", "--auth-password", "secret"},
		{"--tls", "--auth", "LOGIN", "--auth-user", "ann@osm.test", "--auth-password", "wrong"}} {
		said := [2]string{}
		for i, m := range []model{straight, through} {
			args := append([]string{"--server", m.plain, "--local-interface", "127.0.0.3", "--helo", "client.example", "--from", "ann@osm.test",
				"--to", "b@far.example,no@far.example", "--data", "@" + letter}, more...)
			out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
			for _, answer := range swaksAnswer.FindAllStringSubmatch(string(out), -1) {
				said[i] += answer[1] + " "
			}
			said[i] += fmt.Sprint(err)
			if len(said[i]) < 20 {
				t.Fatalf("swaks %s: %s", more, out)
			}
		}
		if said[0] != said[1] {
			t.Errorf("swaks %s: straight %s, through the gateway %s", more, said[0], said[1])
		}
	}
}

// swaksAnswer is the code of an answer in what swaks prints; arrows differ with TLS and when an answer is an error.
var swaksAnswer = regexp.MustCompile(`(?m)^<[-~*]{1,2} +(\d{3}) `)
