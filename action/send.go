package action

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/http"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"github.com/nicholas-fedor/shoutrrr"

	"osm"
)

// Way is one place that alerts go to.
type Way struct {
	Name string // stable over restarts: mail, webhook-1, chat-1, run
	Send func(ctx context.Context, l Letter) error
}

// Ways lists the places that the configuration names.
func (c *Config) Ways(host string) []Way {
	var ways []Way
	if len(c.Mail) > 0 {
		ways = append(ways, Way{"mail", func(ctx context.Context, l Letter) error {
			return c.Post(ctx, host, l.ID, Mail{To: c.Mail, Time: l.Alert.Time, Subject: l.Alert.Subject(), Text: l.Alert.Text()})
		}})
	}
	for i, w := range c.Webhooks {
		ways = append(ways, Way{fmt.Sprintf("webhook-%d", i+1), w.post})
	}
	for i, u := range c.Chats {
		ways = append(ways, Way{fmt.Sprintf("chat-%d", i+1), func(_ context.Context, l Letter) error { return chat(u, l.Alert) }})
	}
	if len(c.Run) > 0 {
		ways = append(ways, Way{"run", c.run})
	}
	return ways
}

// final marks an error that trying again does not mend.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// Final makes an error that ends the tries.
func Final(text string) error { return final{errors.New(text)} }

func isFinal(err error) bool {
	_, ok := errors.AsType[final](err)
	return ok
}

// deadline is how long one try may take.
const deadline = time.Minute

// Post hands a mail to the local mail server, as any program on this machine does. id names it for good.
func (c *Config) Post(ctx context.Context, host, id string, m Mail) error {
	from := c.From
	if from == "" {
		from = "osm@" + host
	}
	letter, err := compose(from, host, id, &m)
	if err != nil {
		return final{err}
	}
	server := c.SMTP
	if server == "" && bound() {
		server = localServer
	}
	if server != "" {
		return submit(ctx, server, host, from, m.To, letter)
	}
	args := append([]string{"-i", "-f", from, "--"}, m.To...)
	return program(ctx, letter, c.Sendmail, args...)
}

// compose writes a mail (RFC 5322, RFC 2045): plain text, or a page with its pictures besides. Auto-Submitted keeps vacation programs
// from answering (RFC 3834). The subject is printable: it has no line ends.
func compose(from, host, id string, m *Mail) ([]byte, error) {
	var b bytes.Buffer
	for _, h := range [][2]string{{"From", from}, {"To", strings.Join(m.To, ", ")}, {"Subject", mime.QEncoding.Encode("utf-8", m.Subject)},
		{"Date", m.Time.Format(time.RFC1123Z)}, {"Message-ID", "<" + id + "." + strconv.FormatInt(m.Time.Unix(), 36) + "@" + host + ">"},
		{"Auto-Submitted", "auto-generated"}, {"MIME-Version", "1.0"}} {
		value := strings.ReplaceAll(h[1], "\r\n ", "\n ") // long encoded words are folded by mime
		if strings.ContainsAny(strings.ReplaceAll(value, "\n ", ""), "\r\n\x00") {
			return nil, fmt.Errorf("compose a mail: the header %s has a line end", h[0])
		}
		fmt.Fprintf(&b, "%s: %s\n", h[0], value)
	}
	write := writeParts
	if m.HTML == "" {
		write = writePlain
	}
	if err := write(&b, m); err != nil {
		return nil, fmt.Errorf("compose a mail: %w", err)
	}
	return bytes.ReplaceAll(b.Bytes(), []byte("\r\n"), []byte("\n")), nil
}

func writePlain(b *bytes.Buffer, m *Mail) error {
	b.WriteString("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n")
	w := quotedprintable.NewWriter(b)
	if _, err := io.WriteString(w, m.Text); err != nil {
		return err
	}
	return w.Close()
}

// run gives the alert to the administrator's own program.
func (c *Config) run(ctx context.Context, l Letter) error {
	body, err := json.Marshal(l.Alert)
	if err != nil {
		return final{fmt.Errorf("write alert %s as JSON: %w", l.ID, err)}
	}
	return program(ctx, body, c.Run[0], c.Run[1:]...)
}

// program runs a program without a shell: nothing in an alert is ever an argument.
func program(ctx context.Context, input []byte, name string, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = bytes.NewReader(input)
	cmd.WaitDelay = time.Second
	output, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("run %s: %w: %s", name, err, osm.Printable(clip(strings.TrimSpace(string(output)), 300)))
	}
	return nil
}

// post sends the alert to a webhook. The receiver tells doubles by Osm-Delivery, and a forgery by Osm-Signature: "t=TIME,v1=HEX",
// HMAC-SHA256 over TIME, a dot and the body.
func (w Webhook) post(ctx context.Context, l Letter) error {
	body, err := json.Marshal(l.Alert)
	if err != nil {
		return final{fmt.Errorf("write alert %s as JSON: %w", l.ID, err)}
	}
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return final{fmt.Errorf("post to %s: %w", w.URL, err)}
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "osm")
	r.Header.Set("Osm-Delivery", l.ID)
	if w.Secret != "" {
		r.Header.Set("Osm-Signature", Sign(w.Secret.Reveal(), l.Alert.Time, body))
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil {
		return fmt.Errorf("post to %s: %w", w.URL, err)
	}
	defer answer.Body.Close()
	said, _ := io.ReadAll(io.LimitReader(answer.Body, 300)) // only to show
	switch code := answer.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code >= 400 && code < 500 && code != http.StatusRequestTimeout && code != http.StatusTooManyRequests:
		return final{fmt.Errorf("post to %s: it answered %s: %s", w.URL, answer.Status, osm.Printable(string(said)))}
	default:
		return fmt.Errorf("post to %s: it answered %s: %s", w.URL, answer.Status, osm.Printable(string(said)))
	}
}

// Sign makes the value of Osm-Signature.
func Sign(secret string, at time.Time, body []byte) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "%s.%s", t, body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// harmless takes the meaning from what chats would make of a stranger's text: mentions, links, markup.
var harmless = strings.NewReplacer("@", "(at)", "<", "‹", ">", "›", "`", "'", "*", "∗", "_", "‗", "://", ":/ /", "[", "(", "]", ")")

// chat tells an alert to a chat service. Its address is a secret and is kept out of errors.
func chat(to osm.Secret, a Alert) error {
	text := harmless.Replace(a.Subject())
	for i := range a.Incidents[:min(len(a.Incidents), 5)] {
		in := &a.Incidents[i]
		text += "\n" + harmless.Replace(osm.Printable(clip(fmt.Sprintf("%s %s: %s, %s to %s", in.ID, in.Key, in.Detail,
			osm.Count(in.Messages, "message"), osm.Count(in.Recipients, "recipient")), 300)))
	}
	if err := shoutrrr.Send(to.Reveal(), text); err != nil {
		return errors.New("send to a chat: " + strings.ReplaceAll(err.Error(), to.Reveal(), to.String()))
	}
	return nil
}
