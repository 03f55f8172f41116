package check

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"

	"osm"
)

// spamAssassin asks spamd about a message (SpamAssassin's spamd/PROTOCOL, version 1.5): a request line, headers, an empty
// line and the message.
type spamAssassin struct {
	cfg              SpamAssassinConfig
	network, address string
}

func newSpamAssassin(cfg SpamAssassinConfig) *spamAssassin {
	s := &spamAssassin{cfg: cfg, network: "tcp", address: cfg.Address}
	if path, ok := strings.CutPrefix(cfg.Address, unixPrefix); ok {
		s.network, s.address = "unix", path
	}
	return s
}

// maxSpamd bounds an answer: a few lines and the names of rules.
const maxSpamd = 64 << 10

// halfCloser is a connection whose writing side can be shut.
type halfCloser interface{ CloseWrite() error }

// row is SpamAssassin's row of the table.
func (s *spamAssassin) row() *one {
	k := &one{name: "spamassassin", settings: s.cfg.Common, from: AtData, content: int64(s.cfg.Limit)}
	k.look = func(ctx context.Context, q *Request, o *osm.Opinions) error {
		if q.Content == nil {
			return nil
		}
		said, err := s.ask(ctx, q.Content)
		if err == nil {
			k.opine(k.name, said, &s.cfg.Scanner, o)
		}
		return err
	}
	return k
}

// ask shows a message, or its beginning. ctx bounds the time. An answer that is not whole is an error.
func (s *spamAssassin) ask(ctx context.Context, text []byte) (score, error) {
	conn, err := new(net.Dialer).DialContext(ctx, s.network, s.address)
	if err != nil {
		return score{}, fmt.Errorf("ask SpamAssassin: %w", err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	sent := s.send(conn, text[:min(len(text), int(s.cfg.Limit))])
	// spamd may have said why it reads no further.
	answer, err := io.ReadAll(io.LimitReader(conn, maxSpamd+1))
	switch {
	case ctx.Err() != nil:
		return score{}, fmt.Errorf("ask SpamAssassin: %w", context.Cause(ctx))
	case err != nil:
		return score{}, fmt.Errorf("read SpamAssassin's answer: %w", err)
	case len(answer) > maxSpamd:
		return score{}, fmt.Errorf("read SpamAssassin's answer: it is longer than %d bytes", maxSpamd)
	case len(answer) == 0 && sent != nil:
		return score{}, fmt.Errorf("show SpamAssassin a message: %w", sent)
	}
	return readSpamd(answer)
}

// send writes a request.
func (s *spamAssassin) send(conn net.Conn, text []byte) error {
	head := fmt.Sprintf("SYMBOLS SPAMC/1.5\r\nContent-length: %d\r\n", len(text))
	if s.cfg.User != "" {
		head += "User: " + headerText(s.cfg.User) + "\r\n"
	}
	if _, err := io.WriteString(conn, head+"\r\n"); err != nil {
		return err
	}
	if _, err := conn.Write(text); err != nil {
		return err
	}
	return conn.(halfCloser).CloseWrite()
}

var errSpamd = errors.New("SpamAssassin's answer is not to be understood")

// readSpamd reads an answer: "SPAMD/1.1 0 EX_OK", headers of which Spam must be one, an empty line, and the rules that matched.
func readSpamd(text []byte) (score, error) {
	head, rules, whole := bytes.Cut(text, []byte("\r\n\r\n"))
	first, rest, _ := strings.Cut(string(head), "\r\n")
	status := strings.Fields(first)
	if len(status) < 2 || !strings.HasPrefix(status[0], "SPAMD/") {
		return score{}, fmt.Errorf("%w: it begins with %q", errSpamd, first[:min(len(first), 100)])
	}
	if status[1] != "0" {
		return score{}, fmt.Errorf("SpamAssassin answered %q", first[:min(len(first), 100)])
	}
	if !whole {
		return score{}, fmt.Errorf("%w: it ends early", errSpamd)
	}
	s := score{}
	found := false
	for line := range strings.SplitSeq(rest, "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.ToLower(name) {
		case "content-length":
			if n, err := strconv.Atoi(value); err != nil || n != len(rules) {
				return score{}, fmt.Errorf("%w: %d bytes of %q came", errSpamd, len(rules), value)
			}
		case "spam":
			if err := s.readSpam(value); err != nil || found {
				return score{}, fmt.Errorf("%w: its score is %q", errSpamd, value)
			}
			found = true
		}
	}
	if !found {
		return score{}, fmt.Errorf("%w: there is no score", errSpamd)
	}
	for rule := range strings.SplitSeq(strings.TrimSpace(string(rules)), ",") {
		if rule = strings.TrimSpace(rule); rule != "" {
			s.Symbols = append(s.Symbols, rule)
		}
	}
	return s, s.check()
}

// readSpam reads "True ; 15.2 / 5.0".
func (s *score) readSpam(value string) (err error) {
	flag, numbers, _ := strings.Cut(value, ";")
	is, required, _ := strings.Cut(numbers, "/")
	switch strings.ToLower(strings.TrimSpace(flag)) {
	case "true", "yes":
		s.Action = "spam"
	case "false", "no":
		s.Action = "no action"
	default:
		return errSpamd
	}
	if s.Score, err = strconv.ParseFloat(strings.TrimSpace(is), 64); err != nil {
		return err
	}
	s.Required, err = strconv.ParseFloat(strings.TrimSpace(required), 64)
	return err
}
