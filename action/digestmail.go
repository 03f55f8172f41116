package action

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/textproto"
	"strconv"
	"strings"
	"time"

	"osm"
	"osm/chart"
)

// Picture is one of a mail, as it is described: it is drawn when the mail goes out. One of the two is set.
type Picture struct {
	Time *chart.Time `json:"time,omitempty"`
	Rank *chart.Rank `json:"rank,omitempty"`
}

func (p *Picture) title() string {
	if p.Time != nil {
		return p.Time.Title
	}
	return p.Rank.Title
}

func (p *Picture) png() ([]byte, error) {
	if p.Time != nil {
		return p.Time.PNG()
	}
	return p.Rank.PNG()
}

//go:embed templates/digest.html
var digestPage string

// digestPicture is a picture as the page names it.
type digestPicture struct {
	ID, Title string
	Width     int
}

// HTML is the digest as a page with pictures, for mail.
func (d *Digest) HTML() (string, error) {
	page, err := template.New("digest").Funcs(template.FuncMap{"text": func(s string) string { return osm.Printable(clip(s, 160)) },
		"stamp": func(t time.Time) string { return t.Format(stamp) }, "headline": headline, "count": func(n int64, one string) string { return osm.Count(n, one) }}).Parse(digestPage)
	if err != nil {
		return "", fmt.Errorf("read the digest's page: %w", err)
	}
	pictures := make([]digestPicture, len(d.Pictures))
	for i := range d.Pictures {
		pictures[i] = digestPicture{ID: pictureID(i), Title: d.Pictures[i].title(), Width: chart.Width}
	}
	listed := d.sorted()
	var b strings.Builder
	if err := page.Execute(&b, map[string]any{"D": d, "Subject": d.Subject(), "Pictures": pictures, "Listed": listed[:min(len(listed), digestIncidents)]}); err != nil {
		return "", fmt.Errorf("make the digest's page: %w", err)
	}
	return b.String(), nil
}

// pictureID names a picture inside its mail (RFC 2392).
func pictureID(i int) string { return "picture" + strconv.Itoa(i+1) + "@osm" }

// writeParts writes the body of a mail with a page: the text for whoever wants no more (RFC 2046 section 5.1.4), and the page with
// its pictures (RFC 2387).
func writeParts(b *bytes.Buffer, m *Mail) error {
	outer := multipart.NewWriter(b)
	fmt.Fprintf(b, "Content-Type: multipart/alternative; boundary=%q\n\n", outer.Boundary())
	if err := writeText(outer, "text/plain", m.Text); err != nil {
		return err
	}
	var inner bytes.Buffer
	related := multipart.NewWriter(&inner)
	if err := writeText(related, "text/html", m.HTML); err != nil {
		return err
	}
	for i := range m.Pictures {
		data, err := m.Pictures[i].png()
		if err != nil {
			return err
		}
		if err := writePicture(related, i, data); err != nil {
			return err
		}
	}
	if err := related.Close(); err != nil {
		return err
	}
	w, err := outer.CreatePart(textproto.MIMEHeader{"Content-Type": {mime.FormatMediaType("multipart/related",
		map[string]string{"boundary": related.Boundary(), "type": "text/html"})}})
	if err == nil {
		_, err = w.Write(inner.Bytes())
	}
	if err == nil {
		err = outer.Close()
	}
	return err
}

func writeText(to *multipart.Writer, kind, text string) error {
	w, err := to.CreatePart(textproto.MIMEHeader{"Content-Type": {kind + "; charset=utf-8"}, "Content-Transfer-Encoding": {"quoted-printable"}})
	if err != nil {
		return err
	}
	quoted := quotedprintable.NewWriter(w)
	if _, err := io.WriteString(quoted, text); err != nil {
		return err
	}
	return quoted.Close()
}

// longestLine is that of base64 in mail (RFC 2045 section 6.8).
const longestLine = 76

func writePicture(to *multipart.Writer, i int, data []byte) error {
	w, err := to.CreatePart(textproto.MIMEHeader{"Content-Type": {"image/png"}, "Content-Transfer-Encoding": {"base64"}, "Content-Id": {"<" + pictureID(i) + ">"},
		"Content-Disposition": {fmt.Sprintf("inline; filename=picture%d.png", i+1)}})
	if err != nil {
		return err
	}
	text := base64.StdEncoding.EncodeToString(data)
	for len(text) > 0 {
		n := min(longestLine, len(text))
		if _, err := io.WriteString(w, text[:n]+"\r\n"); err != nil {
			return err
		}
		text = text[n:]
	}
	return nil
}
