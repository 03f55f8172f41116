package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"osm/policy"
)

// other is another policy server that speaks the same protocol. Each is given one limit that nobody reaches: the least that it is
// used for. rspamd's ratelimit is not among them: it has no such protocol.
type other struct {
	name    string       // of the program
	state   policy.State // at which it counts
	prepare func(dir, port string) (args []string, err error)
}

var others = []other{
	{"postfwd", policy.Data, func(dir, port string) ([]string, error) {
		rules := filepath.Join(dir, "postfwd.cf")
		return []string{"--file=" + rules, "--interface=127.0.0.1", "--port=" + port, "--nodns", "--nodnslog", "--noidlestats", "--summary=0",
				"--daemon", "--user=root", "--group=root", "--pidfile=" + filepath.Join(dir, pidFile)},
			os.WriteFile(rules, []byte("id=R1; sasl_username=~.; action=rate(sasl_username/1000000/3600/421 too many)\n"), 0o644)
	}},
	{"policyd-rate-limit", policy.Rcpt, func(dir, port string) ([]string, error) {
		settings := filepath.Join(dir, "policyd.yaml")
		return []string{"--file", settings}, os.WriteFile(settings, []byte(fmt.Sprintf("debug: false\nuser: root\ngroup: root\npidfile: %s/pid\nbackend: 0\n"+
			"sqlite_config:\n  database: %s/db.sqlite3\nSOCKET: [127.0.0.1, %s]\nsocket_permission: 438\nlimits:\n  - [1000000, 3600]\nlimit_by_sasl: true\n"+
			"success_action: dunno\nfail_action: dunno\nlimits_by_id: {}\n", dir, dir, port)), 0o644)
	}},
}

// others asks the other policy servers the same questions, on the kind of socket that they have, beside osm on a unix socket.
func (b *bench) others(ctx context.Context) error {
	for _, o := range others {
		program, err := exec.LookPath(o.name)
		if err != nil {
			b.notes = append(b.notes, o.name+" is not installed: not measured")
			continue
		}
		if err := b.beside(ctx, o, program); err != nil {
			b.notes = append(b.notes, o.name+" could not be measured: "+err.Error())
		}
	}
	return nil
}

func (b *bench) beside(ctx context.Context, o other, program string) (err error) {
	dir, err := b.socketFolder()
	if err != nil {
		return err
	}
	log := filepath.Join(dir, "quiet")
	if err := os.WriteFile(log, nil, 0o644); err != nil {
		return err
	}
	s, err := b.startServers(ctx, dir, log, accepting)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	port, err := freePort()
	if err != nil {
		return err
	}
	args, err := o.prepare(dir, port)
	if err != nil {
		return err
	}
	c := exec.CommandContext(ctx, program, args...)
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		return err
	}
	defer func() { // how it ends is its own affair
		endByFile(filepath.Join(dir, pidFile))
		c.Process.Signal(os.Interrupt)
		c.Wait()
	}()
	if err := answers(ctx, "tcp", "127.0.0.1:"+port); err != nil {
		return err
	}
	q, theirs := newQuestions(policy.Data), newQuestions(o.state)
	var osm, them []float64
	for range b.rounds {
		for _, one := range []struct {
			network, address string
			questions        *questions
			rates            *[]float64
		}{{"tcp", "127.0.0.1:" + port, theirs, &them}, {"unix", s.osm, q, &osm}} {
			a := asking{network: one.network, socket: one.address, connections: 4, span: time.Second, questions: one.questions}
			rate, _, err := a.run(ctx)
			if err != nil {
				return err
			}
			*one.rates = append(*one.rates, rate)
		}
	}
	b.table.add(row{what: "verdicts, 4 connections", measured: fmt.Sprintf("%.0f/s", median(osm)), than: fmt.Sprintf("%s %.0f/s", o.name, median(them)),
		ratio: fmt.Sprintf("%.0f times", median(ratios(osm, them)))})
	return nil
}

// pidFile is where programs that go into the background say who they are.
const pidFile = "pid"

// endByFile ends a program that has gone into the background.
func endByFile(path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		return // it has not
	}
	if pid, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil && pid > 1 {
		syscall.Kill(pid, syscall.SIGTERM)
	}
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}
