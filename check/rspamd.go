package check

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"osm"
)

// rspamd asks an rspamd worker about a message: POST /checkv2 with the envelope in headers, answered in JSON (rspamd's
// documentation, "Rspamd HTTP protocol").
type rspamd struct {
	cfg    RspamdConfig
	url    string
	client http.Client
}

// What is taken of an answer, and told of an envelope, at most.
const (
	maxAnswer     = 1 << 20
	maxTold       = 100  // recipients
	maxHeaderText = 1000 // bytes of one told value
)

func newRspamd(cfg RspamdConfig) *rspamd {
	r := &rspamd{cfg: cfg, url: strings.TrimSuffix(cfg.URL, "/") + "/checkv2"}
	transport := &http.Transport{
		// A connection that rspamd is about to close would fail a message that can't be sent twice.
		DisableKeepAlives:      true,
		DisableCompression:     true, // nothing unpacks to more than was sent
		MaxResponseHeaderBytes: 16 << 10,
	}
	if path, ok := strings.CutPrefix(cfg.URL, unixPrefix); ok {
		r.url = "http://rspamd/checkv2"
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		}
	}
	// A redirection would send the message elsewhere.
	r.client = http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return r
}

// rspamdAnswer is what is read of an answer; what must be there is a pointer.
type rspamdAnswer struct {
	Score    *float64                   `json:"score"`
	Required *float64                   `json:"required_score"`
	Action   *string                    `json:"action"`
	Symbols  map[string]json.RawMessage `json:"symbols"`
	Error    string                     `json:"error"`
}

// row is rspamd's row of the table.
func (r *rspamd) row() *one {
	k := &one{name: "rspamd", settings: r.cfg.Common, from: AtData, content: int64(r.cfg.Limit)}
	k.look = func(ctx context.Context, q *Request, o *osm.Opinions) error {
		if q.Content == nil {
			return nil
		}
		s, err := r.ask(ctx, q.Message, q.Content)
		if err == nil {
			k.opine(k.name, s, &r.cfg.Scanner, o)
		}
		return err
	}
	return k
}

// ask shows a message, or its beginning. ctx bounds the time. An answer that is not whole is an error.
func (r *rspamd) ask(ctx context.Context, m *osm.Message, text []byte) (score, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.url, bytes.NewReader(text[:min(len(text), int(r.cfg.Limit))]))
	if err != nil {
		return score{}, fmt.Errorf("ask rspamd: %w", err)
	}
	r.tell(request.Header, m)
	response, err := r.client.Do(request)
	if err != nil {
		if u, ok := errors.AsType[*url.Error](err); ok {
			err = u.Err // without the address, which may hold a name and a password
		}
		return score{}, fmt.Errorf("ask rspamd: %w", err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return score{}, fmt.Errorf("read rspamd's answer: %w", err)
	case len(answer) > maxAnswer:
		return score{}, fmt.Errorf("read rspamd's answer: it is longer than %d bytes", maxAnswer)
	}
	return readRspamd(response.StatusCode, answer)
}

// tell puts the envelope into headers.
func (r *rspamd) tell(to http.Header, m *osm.Message) {
	set := func(name, value string) {
		if value != "" {
			to.Set(name, headerText(value))
		}
	}
	to.Set("Content-Type", "message/rfc822")
	set("Password", r.cfg.Password.Reveal())
	if m.Client.IsValid() {
		set("IP", m.Client.Unmap().String())
	}
	set("Helo", m.Helo)
	set("Hostname", m.ClientHost)
	set("From", m.Sender)
	set("User", m.Login)
	set("Queue-Id", m.ID)
	for _, rcpt := range m.Recipients[:min(len(m.Recipients), maxTold)] {
		to.Add("Rcpt", headerText(rcpt))
	}
}

// headerText makes a stranger's text fit for a header: net/http refuses a request with control characters, and a HELO name
// must not be a way around the check.
func headerText(s string) string {
	return strings.Map(func(c rune) rune {
		if c < ' ' || c > '~' {
			return '?'
		}
		return c
	}, s[:min(len(s), maxHeaderText)])
}

// readRspamd reads an answer.
func readRspamd(status int, text []byte) (score, error) {
	var a rspamdAnswer
	err := json.Unmarshal(text, &a)
	switch {
	case err == nil && a.Error != "":
		return score{}, fmt.Errorf("rspamd answered %d: %s", status, osm.Printable(a.Error))
	case status != http.StatusOK:
		return score{}, fmt.Errorf("rspamd answered %d", status)
	case err != nil:
		return score{}, fmt.Errorf("rspamd's answer is not to be understood: %w", err)
	case a.Score == nil || a.Required == nil || a.Action == nil:
		return score{}, errors.New("rspamd's answer lacks a score, the required one or an action")
	}
	s := score{Score: *a.Score, Required: *a.Required, Action: *a.Action}
	for name := range a.Symbols {
		s.Symbols = append(s.Symbols, name)
	}
	slices.Sort(s.Symbols)
	return s, s.check()
}
