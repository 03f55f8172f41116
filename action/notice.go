package action

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"time"

	"osm"
	"osm/incident"
	"osm/window"
)

// Customer is the owner of what an incident is about, as the panel knows him. Its texts are hostile.
type Customer struct {
	Address  string // used where the login is no mail address itself; of several, separated by commas, the first
	Language string // de, de_at, pt-br; "" is English
	Reseller string // whose customer he is, "" for the administrator's
}

// notice is what a template can use. All its texts are printable and short.
type notice struct {
	ID, Host, Who, Login, Script, Account, Rule, Detail, Clients string
	Opened, Updated                                              string
	Subjects                                                     []string
	Messages, Recipients                                         int64
	Stopped, Over                                                bool
}

//go:embed templates/*.txt
var builtin embed.FS

// Notices writes to customers about incidents of theirs. It holds no clock.
type Notices struct {
	cfg  Config
	host string
	sent map[string]*window.Counter // by address
}

const (
	noticesPerHour   = 5      // to one address: whoever breaks into ten folders of a site must not flood its owner
	noticedAddresses = 10_000 // past it the counts start anew
)

// NewNotices makes one for a host's customers.
func NewNotices(cfg Config, host string) *Notices {
	return &Notices{cfg: cfg, host: host, sent: map[string]*window.Counter{}}
}

// Turned writes the notice about an incident that has entered a new state. There is none when the customer can't be
// reached, when he has been written to too often, or when customers are not told of such things. The letter's id is the
// same for the same state of the same incident: the outbox takes it once.
func (n *Notices) Turned(i *incident.Incident, c Customer, now time.Time) (l Letter, ok bool, err error) {
	if !n.cfg.Customers || !n.cfg.tells(i, now) {
		return l, false, nil
	}
	to := recipient(i, c)
	if to == "" {
		return l, false, nil
	}
	if !n.room(to, now) {
		return l, false, nil
	}
	t, err := pickTemplate(n.cfg.Templates, c)
	if err != nil {
		return l, false, err
	}
	subject, text, err := fill(t, n.host, i)
	if err != nil {
		return l, false, err
	}
	return Letter{ID: "N" + i.ID + "-" + string(i.State), Way: "customer", Next: now,
		Mail: &Mail{To: []string{to}, Time: now, Subject: subject, Text: text}}, true, nil
}

func (n *Notices) room(to string, now time.Time) bool {
	if len(n.sent) >= noticedAddresses {
		clear(n.sent)
	}
	c := n.sent[to]
	if c == nil {
		fresh := window.NewCounter(time.Hour, 12)
		c = &fresh
		n.sent[to] = c
	}
	if c.Sum(now) >= noticesPerHour {
		return false
	}
	c.Add(now, 1)
	return true
}

// recipient is the login where that is a mail address, else the address that the panel has.
func recipient(i *incident.Incident, c Customer) string {
	first, _, _ := strings.Cut(c.Address, ",")
	for _, a := range []string{i.Login, strings.TrimSpace(first)} {
		if strings.Contains(a, "@") && len(a) <= 254 && plainAddress(a) && osm.Printable(a) == a {
			return a
		}
	}
	return ""
}

// fill puts an incident into a template, whose first line is the subject.
func fill(t *template.Template, host string, i *incident.Incident) (subject, text string, err error) {
	plain := func(s string, most int) string { return osm.Printable(clip(s, most)) }
	v := notice{ID: i.ID, Host: plain(host, 100), Who: plain(i.Key.Value, 100), Login: plain(i.Login, 100), Account: plain(i.Account, 100),
		Rule: plain(i.Rule, 100), Detail: plain(i.Detail, 300), Clients: plain(strings.Join(i.Clients, " "), 300),
		Opened: i.Opened.Format(stamp), Updated: i.Updated.Format(stamp), Messages: i.Messages, Recipients: i.Recipients,
		Stopped: !i.Passive && i.Action != osm.Accept, Over: i.State == incident.Closed}
	if i.Key.Kind == osm.KeyScript {
		v.Script = v.Who
	}
	for _, s := range i.Samples {
		if subject := plain(s.Subject, 80); subject != "" && len(v.Subjects) < 3 && !slices.Contains(v.Subjects, subject) {
			v.Subjects = append(v.Subjects, subject)
		}
	}
	var b bytes.Buffer
	if err := t.Execute(&b, &v); err != nil {
		return "", "", fmt.Errorf("write a notice to a customer: %w", err)
	}
	head, body, _ := strings.Cut(b.String(), "\n")
	subject, ok := strings.CutPrefix(head, "Subject: ")
	if !ok || strings.TrimSpace(subject) == "" {
		return "", "", fmt.Errorf("write a notice to a customer: %s: the first line must begin with Subject: and say it", t.Name())
	}
	return osm.Printable(subject), strings.TrimLeft(body, "\n"), nil
}

// templateName is what a folder or a file of templates may be called: nothing that leads elsewhere.
var templateName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// pickTemplate finds the text for a customer: the reseller's own before the administrator's before what is built in, and in each the
// customer's language before English.
func pickTemplate(dir string, c Customer) (*template.Template, error) {
	language, reseller := strings.ToLower(c.Language), strings.ToLower(c.Reseller)
	short, _, _ := strings.Cut(strings.ReplaceAll(language, "_", "-"), "-")
	languages := []string{language, short, "en"}
	var folders []string
	if dir != "" {
		if templateName.MatchString(reseller) {
			folders = append(folders, filepath.Join(dir, reseller))
		}
		folders = append(folders, dir)
	}
	for _, folder := range folders {
		for _, l := range languages {
			if !templateName.MatchString(l) {
				continue
			}
			path := filepath.Join(folder, l+".txt")
			text, err := os.ReadFile(path)
			if err == nil {
				return parseTemplate(path, text)
			}
			if !errors.Is(err, fs.ErrNotExist) {
				return nil, fmt.Errorf("read a notice's template: %w", err)
			}
		}
	}
	for _, l := range languages {
		if text, err := builtin.ReadFile("templates/" + l + ".txt"); err == nil {
			return parseTemplate(l, text)
		}
	}
	return nil, errors.New("no template for notices is built in") // English always is
}

func parseTemplate(name string, text []byte) (*template.Template, error) {
	t, err := template.New(name).Parse(strings.ReplaceAll(string(text), "\r\n", "\n"))
	if err != nil {
		return nil, fmt.Errorf("read a notice's template: %w", err)
	}
	return t, nil
}

// checkTemplates tries every template of a folder and of the resellers' folders in it.
func checkTemplates(dir string, report func(key, problem string)) {
	if !filepath.IsAbs(dir) {
		report("templates", "must be an absolute path")
		return
	}
	example := TestAlert("mx.example", time.Unix(0, 0)).Incidents[0]
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".txt" {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		t, err := parseTemplate(path, text)
		if err == nil {
			_, _, err = fill(t, "mx.example", &example)
		}
		if err != nil {
			report("templates", err.Error())
		}
		return nil
	})
	if err != nil {
		report("templates", err.Error())
	}
}
