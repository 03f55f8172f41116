package check

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"osm"
)

// part is a body with its header lines.
func part(header, body string) string { return header + "\r\n\r\n" + body }

// mixed is a multipart of a kind, whose boundary is its name.
func mixed(kind string, parts ...string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "MIME-Version: 1.0\r\nContent-Type: multipart/%s; boundary=%q\r\n\r\n", kind, "of "+kind)
	for _, p := range parts {
		fmt.Fprintf(&b, "--of %s\r\n%s\r\n", kind, p)
	}
	fmt.Fprintf(&b, "--of %s--\r\n", kind)
	return b.String()
}

func encode(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

const plainType, htmlType = "Content-Type: text/plain; charset=utf-8", "Content-Type: text/html; charset=utf-8"

func TestLinks(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		hosts string
		count int
	}{
		"none":               {part(plainType, "no links: a.b, x@y.example, http:// and C:\\www."), "", 0},
		"plain":              {part(plainType, "see http://One.Example/x?y, (https://two.example:8443/) www.three.example. http://one.example"), "one.example two.example www.three.example", 4},
		"no type":            {part("Subject: x", "http://one.example"), "one.example", 1},
		"no header":          {"\r\nhttp://one.example", "one.example", 1},
		"user and password":  {part(plainType, "http://bank.example@evil.example/ http://a:b@c.example"), "evil.example c.example", 2},
		"addresses":          {part(plainType, "http://192.0.2.1/ http://[2001:db8::1]:80/x"), "192.0.2.1 2001:db8::1", 2},
		"international":      {part(plainType, "https://bücher.example/"), "xn--bcher-kva.example", 1},
		"a long label":       {part(plainType, "http://"+strings.Repeat("ü", 64)+".example/ http://"+strings.Repeat("a", 63)+".example"), strings.Repeat("a", 63) + ".example", 1},
		"no host":            {part(plainType, "http:///x http://localhost/ http://..."), "", 0},
		"html":               {part(htmlType, `<a href="http://one.example/a">http://shown.example</a> <img src=//two.example/x> http://three.example`), "one.example two.example three.example", 3},
		"html escapes":       {part(htmlType, `<A HREF="&#104;ttp&#58;//one.example/">x</A><a href=' h&Tab;ttps:\\two.example\x'>y</a>`), "one.example two.example", 2},
		"html not elsewhere": {part(htmlType, `<a href="mailto:x@y.example"><a href="#x"><a href="/y"><a href="javascript:alert(1)">`), "", 0},
		"html forms":         {part(htmlType, `<form action="https://one.example/login"><button formaction=http://two.example>`), "one.example two.example", 2},
		"percent":            {part(htmlType, `<a href="http://one%2eexample/">`), "one.example", 1},
		"quoted-printable":   {part(plainType+"\r\nContent-Transfer-Encoding: quoted-printable", "http=3A//one.exa=\r\nmple/"), "one.example", 1},
		"base64":             {part(plainType+"\r\nContent-Transfer-Encoding: base64", encode("http://one.example")), "one.example", 1},
		"utf-16": {part("Content-Type: text/plain; charset=utf-16le\r\nContent-Transfer-Encoding: base64",
			encode("h\x00t\x00t\x00p\x00:\x00/\x00/\x00a\x00.\x00b\x00")), "a.b", 1},
		"unknown charset":  {part("Content-Type: text/plain; charset=klingon", "http://one.example"), "one.example", 1},
		"unknown encoding": {part(plainType+"\r\nContent-Transfer-Encoding: rot13", "http://one.example"), "one.example", 1},
		"both ways":        {mixed("alternative", part(plainType, "http://one.example"), part(htmlType, "<a href=http://one.example>x</a>")), "one.example", 2},
		"deeper": {mixed("mixed", mixed("alternative", part(plainType, "http://one.example")),
			part("Content-Type: message/rfc822", part(htmlType, "<a href=http://two.example>"))), "one.example two.example", 2},
		"cut off":          {"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nhttp://one.example", "one.example", 1},
		"broken header":    {"Subject: x\r\nthis is no header\r\nContent-Type: text/html\r\n\r\n<a href='http://one.example/'>", "one.example", 1},
		"no boundary":      {"Content-Type: multipart/mixed\r\n\r\nhttp://one.example", "one.example", 1},
		"wrong boundary":   {"Content-Type: multipart/mixed; boundary=x\r\n\r\n--y\r\n\r\nhttp://one.example\r\n--y--", "one.example", 1},
		"broken part":      {mixed("mixed", "this is no header\r\n\r\nhttp://one.example"), "one.example", 1},
		"a broken type":    {part("Content-Type: ;;;", "http://one.example"), "one.example", 1},
		"a bare newline":   {"Content-Type: text/html\n\n<a href=http://one.example>", "one.example", 1},
		"in an attachment": {mixed("mixed", part(htmlType+"\r\nContent-Disposition: attachment; filename=a.html", "<a href=http://one.example>")), "one.example", 1},
	} {
		t.Run(name, func(t *testing.T) {
			got := readContent([]byte(c.text), nil)
			if hosts := strings.Join(got.links, " "); hosts != c.hosts || got.linkCount != c.count {
				t.Errorf("%d links to %q, want %d to %q in\n%s", got.linkCount, hosts, c.count, c.hosts, c.text)
			}
		})
	}
}

func TestAttachments(t *testing.T) {
	attached := func(lines string) string {
		return mixed("mixed", part(plainType, "see the attachment"), part(lines, "x"))
	}
	for name, c := range map[string]struct{ text, types, extensions string }{
		"none":                 {mixed("alternative", part(plainType, "a"), part(htmlType, "b")), "", ""},
		"named":                {attached("Content-Type: application/PDF; name=\"Invoice.May.PDF\""), "application/pdf", "pdf"},
		"disposition":          {attached("Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=run.exe"), "application/octet-stream", "exe"},
		"no name":              {attached("Content-Type: image/png"), "image/png", ""},
		"a text":               {attached("Content-Type: text/plain\r\nContent-Disposition: attachment"), "text/plain", ""},
		"no type":              {attached("Content-Disposition: attachment; filename=\"x.js\""), "text/plain", "js"},
		"the whole message":    {part("Content-Type: application/zip; name=a.zip", "x"), "application/zip", "zip"},
		"RFC 2231":             {attached("Content-Type: a/b\r\nContent-Disposition: attachment; filename*=utf-8''r%C3%A9sum%C3%A9.scr"), "a/b", "scr"},
		"RFC 2231 in pieces":   {attached("Content-Type: a/b\r\nContent-Disposition: attachment; filename*0=\"long.\"; filename*1=\"exe\""), "a/b", "exe"},
		"RFC 2047":             {attached("Content-Type: a/b; name=\"=?utf-8?B?" + encode("rechnung.vbs") + "?=\""), "a/b", "vbs"},
		"unquoted with spaces": {attached("Content-Type: a/b\r\nContent-Disposition: attachment; filename=my report.pdf.exe"), "a/b", "exe"},
		"unclosed":             {attached("Content-Type: a/b\r\nContent-Disposition: attachment; filename=\"virus.exe"), "a/b", "exe"},
		"dots at the end":      {attached("Content-Type: a/b; name=\"run.exe. . \""), "a/b", "exe"},
		"written backwards":    {attached("Content-Type: a/b; name=\"ann\u202egpj.exe\""), "a/b", "exe"},
		"no extension":         {attached("Content-Type: a/b; name=\"README\""), "a/b", ""},
		"in a folder":          {attached("Content-Type: a/b; name=\"x.y/README\""), "a/b", ""},
		"a message":            {mixed("mixed", part("Content-Type: message/rfc822", attached("Content-Type: c/d; name=e.f"))), "message/rfc822 c/d", " f"},
		"a hostile type":       {attached("Content-Type: \"<script>\x1b[2J\"/x; name=a.b"), "", "b"},
	} {
		t.Run(name, func(t *testing.T) {
			got := readContent([]byte(c.text), nil)
			types, extensions := strings.Join(got.attachments, " "), strings.Join(got.extensions, " ")
			if name == "a hostile type" {
				types = strings.Trim(types, "abcdefghijklmnopqrstuvwxyz/0123456789-. ")
			}
			if types != c.types || extensions != c.extensions {
				t.Errorf("%q with the extensions %q, want %q with %q in\n%s", types, extensions, c.types, c.extensions, c.text)
			}
		})
	}
}

func TestEncrypted(t *testing.T) {
	for head, want := range map[string]int{
		"PK\x03\x04\x14\x00\x01\x00": 1, "PK\x03\x04\x14\x00\x09\x08": 1, "PK\x03\x04\x14\x00\x00\x00": 0, "PK\x03\x04": 0,
		"Rar!\x1a\x07\x00\xce\x99\x73\x80\x00\x0d": 1, "Rar!\x1a\x07\x00\xcf\x90\x73\x00\x00\x0d": 0,
		"Rar!\x1a\x07\x01\x00\x33\x92\xb5\xe5\x0a\x01": 0, "Rar!\x1a\x07\x01\x00\x01\x02\x03\x04\x21\x04\x00": 1,
		"plain": 0, "": 0,
	} {
		text := mixed("mixed", part("Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64", encode(head)))
		if got := readContent([]byte(text), nil).encrypted; got != want {
			t.Errorf("%q: %d", head, got)
		}
	}
}

func TestContentCheck(t *testing.T) {
	bad := mixed("mixed", part(plainType, "http://one.example http://two.example"), part("Content-Type: a/b; name=run.EXE", "x"),
		part("Content-Type: application/zip; name=a.zip", "PK\x03\x04\x14\x00\x01\x00xxxxxxxxx"))
	for name, c := range map[string]struct {
		set    func(*ContentConfig)
		reason string
	}{
		"attachment":        {func(c *ContentConfig) { c.Extensions = []string{"scr", "exe"} }, "attachment"},
		"other attachment":  {func(c *ContentConfig) { c.Extensions = []string{"scr"} }, ""},
		"encrypted":         {func(c *ContentConfig) { c.Encrypted = true }, "encrypted-archive"},
		"links":             {func(c *ContentConfig) { c.Links = 1 }, "links"},
		"as many as may be": {func(c *ContentConfig) { c.Links = 2 }, ""},
		"facts only":        {func(*ContentConfig) {}, ""},
	} {
		o := scan(t, func(cfg *Config) {
			cfg.Content.Enabled = true
			c.set(&cfg.Content)
		}, bad)
		if o.Verdict.Reason != c.reason || (o.Verdict.Action == osm.Hold) != (c.reason != "") {
			t.Errorf("%s: %+v", name, o.Verdict)
		}
		want := osm.Opinions{Links: []string{"one.example", "two.example"}, LinkCount: 2, Attachments: []string{"a/b", "application/zip"},
			Extensions: []string{"exe", "zip"}, Encrypted: 1, Verdict: o.Verdict}
		if diff := cmp.Diff(want, o); diff != "" {
			t.Error(diff)
		}
	}
	c := defaultContent()
	c.Extensions = []string{".exe"}
	checkSetting(t, "extensions[0]", false, c.check)
	c.Extensions = []string{"exe", "7z"}
	checkSetting(t, "", true, c.check)
}

// TestContentIsBounded: whatever somebody writes, little is kept of it.
func TestContentIsBounded(t *testing.T) {
	var many, deep, links strings.Builder
	many.WriteString("Content-Type: multipart/mixed; boundary=x\r\n\r\n")
	for i := range 20_000 {
		fmt.Fprintf(&many, "--x\r\nContent-Type: a/b; name=a.%s\r\n\r\n\r\n", strings.Repeat("y", i%100))
		fmt.Fprintf(&links, "http://h%d.example ", i)
	}
	for i := range 5000 {
		fmt.Fprintf(&deep, "Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n", i, i)
	}
	for name, text := range map[string]string{"many parts": many.String(), "deep": deep.String(), "many links": part(plainType, links.String())} {
		got := readContent([]byte(text), nil)
		if len(got.attachments) > maxAttachments || len(got.extensions) != len(got.attachments) || len(got.links) > maxHosts {
			t.Errorf("%s: %d attachments, %d extensions, %d links", name, len(got.attachments), len(got.extensions), len(got.links))
		}
		if name == "many links" && got.linkCount != maxLinks {
			t.Errorf("%d links are counted", got.linkCount)
		}
		if slices.ContainsFunc(got.extensions, func(s string) bool { return len(s) > maxName }) {
			t.Error("a long extension is kept")
		}
	}
}

func TestFromAddress(t *testing.T) {
	for header, want := range map[string]string{
		"From: ann@shop.example": "ann@shop.example", "from : \"Ann, the\" <ann@shop.example>": "ann@shop.example",
		"From: =?utf-8?Q?Ann?=\r\n <ann@shop.example>, bob@x.example": "ann@shop.example", "X: y\r\nFrom: a@b.example\r\nFrom: c@d.example": "a@b.example",
		"From: Bank <x@y@z> <ann@shop.example>": "ann@shop.example", "From: Ann [at] <ann@shop.example> (CEO": "ann@shop.example",
		"From: ann@shop.example;": "ann@shop.example", "Subject: From: x@y.example": "", "From: nobody": "", "From:": "",
		"Subject: x\r\n\r\nFrom: x@y.example": "", "": "", "From: @x": "",
		"junk without a colon\r\nFrom: a@b.example": "a@b.example",
	} {
		for _, text := range []string{header + "\r\n\r\nbody", strings.ReplaceAll(header, "\r\n", "\n")} {
			if got := FromAddress([]byte(text)); got != want {
				t.Errorf("%q: %q, want %q", text, got, want)
			}
		}
	}
}

// FuzzContent looks for what the parsers of others do not survive: here nothing catches them.
func FuzzContent(f *testing.F) {
	for _, s := range []string{plainMail, spamMail, mixed("mixed", part(htmlType, "<a href=http://x.example>"), part("Content-Type: message/rfc822", plainMail)),
		part("Content-Type: text/plain; charset=utf-7\r\nContent-Transfer-Encoding: base64", "+AGg-"), "Content-Type: multipart/x; boundary=\"\"\r\n\r\n--\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		w := walker{room: maxText}
		w.message(bytes.NewReader(text), 0)
		if len(w.links) > maxHosts || len(w.attachments) > maxAttachments || len(w.extensions) != len(w.attachments) {
			t.Errorf("%+v", w.content)
		}
		for _, host := range w.links {
			if strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-_.:") != "" {
				t.Errorf("%q is no host", host)
			}
		}
		FromAddress(text)
	})
}
