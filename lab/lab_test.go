package lab

import (
	"context"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"
)

// patience is how long a test waits for what should happen at once, on the busiest machine.
const patience = 2 * time.Minute

func startLab(t *testing.T, o Options) *Exim {
	t.Helper()
	if err := Missing(); err != nil {
		t.Skip(err)
	}
	e, err := Start(within(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Stop(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func startSink(t *testing.T, o SinkOptions) *Sink {
	t.Helper()
	sink, err := NewSink(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sink.Close(); err != nil {
			t.Error(err)
		}
	})
	return sink
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return ctx
}

func to(recipient string) func(*Received) bool {
	return func(r *Received) bool { return r.Recipients[0] == recipient }
}

func letter(recipient, subject string) string {
	return "To: " + recipient + "\nSubject: " + subject + "\n\nDear reader.\n"
}

// TestWays sends by each way and looks at what arrives and at what Exim says of it.
func TestWays(t *testing.T) {
	sink := startSink(t, SinkOptions{})
	e := startLab(t, Options{Selector: SelectorBest, Sink: sink, Users: []string{"shop"},
		Accounts: []Account{{"alice@osm.test", "secret"}},
		Aliases:  map[string]string{"info@osm.test": "owner@" + DomainG}})
	ctx := within(t)
	home := netip.MustParseAddr("203.0.113.7")
	smtp := func(c Caller, sender, recipient string) func() error {
		return func() error {
			return e.Deliver(ctx, e.SMTP(), c, sender, []string{recipient}, letter(recipient, "hello"))
		}
	}
	submit := func(s Submission, recipient string) func() error {
		return func() error {
			s.Input = letter(recipient, "hello")
			return e.Submit(ctx, s)
		}
	}
	for name, way := range map[string]struct {
		send func() error
		to   string
		log  []string // parts of the arrival's line
	}{
		"login": {smtp(Caller{From: home, Helo: "laptop", Login: "alice@osm.test", Password: "secret"}, "alice@osm.test",
			"a@"+DomainG), "a@" + DomainG,
			[]string{"<= alice@osm.test H=(laptop) [203.0.113.7]:", " P=esmtpsa ", " A=login_server:alice@osm.test "}},
		"plain over IPv6": {smtp(Caller{From: netip.MustParseAddr("2001:db8::7"), Login: "alice@osm.test", Password: "secret",
			Plain: true}, "alice@osm.test", "b@"+DomainM), "b@" + DomainM,
			[]string{" [2001:db8::7]:", " A=plain_server:alice@osm.test "}},
		"localhost": {smtp(Caller{}, "app@osm.test", "c@"+DomainY), "c@" + DomainY,
			[]string{"<= app@osm.test H=(client.example) [127.0.0.1]:", " P=esmtp "}},
		"forwarded": {smtp(Caller{From: home}, "stranger@elsewhere.example", "info@osm.test"), "owner@" + DomainG,
			[]string{"<= stranger@elsewhere.example ", " for info@osm.test"}},
		"script": {submit(Submission{User: "shop", Dir: "/home/shop/public_html"}, "d@other.example"), "d@other.example",
			[]string{"<= shop@osm.test U=shop P=local ", " for d@other.example"}},
		"cron": {submit(Submission{}, "e@other.example"), "e@other.example", []string{"<= root@osm.test U=root P=local "}},
	} {
		t.Run(name, func(t *testing.T) {
			if err := way.send(); err != nil {
				t.Fatal(err)
			}
			m, err := sink.Wait(ctx, to(way.to))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(m.Data), "\r\n\r\nDear reader.\r\n") {
				t.Errorf("the message arrived as %q", m.Data)
			}
			if _, err := e.WaitLog(ctx, way.log...); err != nil {
				t.Error(err)
			}
			if _, err := e.WaitLog(ctx, "=> ", way.to, " R=dnslookup T=remote_smtp H="+m.To); err != nil {
				t.Error(err)
			}
		})
	}
	if _, err := e.WaitLog(ctx, " cwd=/home/shop/public_html 3 args: /usr/sbin/sendmail -t -i"); err != nil {
		t.Error(err)
	}
}

// TestRefused shows that logins, relaying and Exim's own verdicts are real.
func TestRefused(t *testing.T) {
	e := startLab(t, Options{Accounts: []Account{{"alice@osm.test", "secret"}}})
	ctx := within(t)
	stranger := Caller{From: netip.MustParseAddr("203.0.113.7")}
	thief := Caller{From: stranger.From, Login: "alice@osm.test", Password: "guess"}
	for name, c := range map[string]struct {
		caller    Caller
		recipient string
		want      string
	}{
		"wrong password": {thief, "a@far.example", "Incorrect authentication data"},
		"relaying":       {stranger, "a@far.example", "relay not permitted"},
		"unknown user":   {stranger, "nobody@osm.test", "Unrouteable address"},
	} {
		err := e.Deliver(ctx, e.Submission(), c.caller, "x@y.example", []string{c.recipient}, letter(c.recipient, "x"))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if err := e.Deliver(ctx, e.SMTP(), stranger, "x@y.example", []string{"alice@osm.test"}, letter("", "x")); err != nil {
		t.Error(err)
	}
	if _, err := e.WaitLog(ctx, "=> alice <alice@osm.test> R=local_user T=mail_spool"); err != nil {
		t.Error(err)
	}
}

// TestOwnText shows that the caller's ACLs, options, rewrite rules, routers and transports are in force.
func TestOwnText(t *testing.T) {
	e := startLab(t, Options{
		Selector: SelectorBest,
		Main:     "acl_smtp_rcpt = mine\nacl_not_smtp = scripts\n",
		ACL: "mine:\n  deny recipients = no@far.example\n       message = mine says no\n  require acl = lab_rcpt\n  accept\n" +
			"scripts:\n  warn control = freeze/no_tell\n       logwrite = MINE froze it\n  accept\n",
		Rewrite:    "*@old.example $1@new.example T\n",
		Routers:    "mine:\n  driver = accept\n  domains = new.example\n  transport = box\n",
		Transports: "box:\n  driver = appendfile\n  file = /dev/null\n  user = nobody\n",
	})
	ctx := within(t)
	err := e.Deliver(ctx, e.SMTP(), Caller{}, "x@osm.test", []string{"no@far.example"}, "")
	if err == nil || !strings.Contains(err.Error(), "mine says no") {
		t.Errorf("the ACL for RCPT is not the caller's: %v", err)
	}
	if err := e.Deliver(ctx, e.SMTP(), Caller{}, "x@osm.test", []string{"a@old.example"}, letter("", "x")); err != nil {
		t.Error(err)
	}
	if _, err := e.WaitLog(ctx, "=> a <a@new.example> F=<x@osm.test> R=mine T=box"); err != nil {
		t.Error(err)
	}
	if err := e.Submit(ctx, Submission{Input: letter("b@far.example", "x")}); err != nil {
		t.Error(err)
	}
	if _, err := e.WaitLog(ctx, "MINE froze it"); err != nil {
		t.Error(err)
	}
	ids, err := e.Queued("")
	if err != nil || len(ids) != 1 {
		t.Fatalf("queue: %v, %v; want the frozen message", ids, err)
	}
	if out, err := e.Command(ctx, "-bp"); err != nil || !strings.Contains(out, ids[0]+" <root@osm.test> *** frozen ***") {
		t.Errorf("exim -bp: %v, %q", err, out)
	}
}

func TestBrokenConfiguration(t *testing.T) {
	if err := Missing(); err != nil {
		t.Skip(err)
	}
	before := folders(t)
	e, err := Start(within(t), Options{Main: "no_such_option = 1\n"})
	if err == nil {
		e.Stop()
		t.Fatal("Exim starts with an option that it does not have")
	}
	if !strings.Contains(err.Error(), `main option "no_such_option" unknown`) {
		t.Errorf("the error does not name the mistake: %v", err)
	}
	if after := folders(t); len(after) > len(before) {
		t.Errorf("folders were left: %v", after)
	}
}

// TestSystemUntouched looks at the machine from outside while a lab with users runs.
func TestSystemUntouched(t *testing.T) {
	passwd, err := os.ReadFile("/etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	e := startLab(t, Options{Users: []string{"labuser"}})
	if now, err := os.ReadFile("/etc/passwd"); err != nil || string(now) != string(passwd) {
		t.Errorf("/etc/passwd changed: %v", err)
	}
	if _, err := os.Stat("/home/labuser"); !os.IsNotExist(err) {
		t.Errorf("/home/labuser is there: %v", err)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil || strings.Contains(string(mounts), e.Folder()) {
		t.Errorf("the lab's mounts are seen outside: %v", err)
	}
	if _, err := os.Stat(e.Root() + "/home/labuser"); err != nil {
		t.Errorf("the lab's home is not where it says: %v", err)
	}
}

func TestKeep(t *testing.T) {
	if err := Missing(); err != nil {
		t.Skip(err)
	}
	e, err := Start(within(t), Options{Keep: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { removeFolder(e.Folder()) })
	if err := e.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := sweep(nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(e.LogPath()); err != nil {
		t.Errorf("the log was not kept: %v", err)
	}
}
