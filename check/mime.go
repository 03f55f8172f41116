package check

import (
	"bytes"
	"io"
	"mime"
	"regexp"
	"slices"
	"strings"

	"github.com/emersion/go-message"
	_ "github.com/emersion/go-message/charset" // texts in other charsets than UTF-8 hide no links
)

// What is read of one message at most, whatever somebody wrote into it.
const (
	maxDepth       = 20
	maxParts       = 1000
	maxAttachments = 200
	maxHosts       = 200
	maxText        = 2 << 20 // bytes of decoded text
	maxLinks       = 10_000
	maxHeader      = 64 << 10
	maxName        = 32 // characters of a type or an extension
)

// readContent tells the links and attachments of a message. It never fails: what MIME (RFC 2045 to 2049) can't read is
// looked through as plain text, as a careless mail program shows it. It stops short when over is closed.
func readContent(text []byte, over <-chan struct{}) content {
	w := walker{room: maxText, over: over}
	if !w.safely(text) && !isOver(over) {
		w.plain(text[:min(len(text), maxText)])
	}
	return w.content
}

// walker goes through the parts of one message.
type walker struct {
	content
	parts int
	room  int // bytes of text that may still be read
	over  <-chan struct{}
}

// safely survives what a parser of somebody else's might make of the worst garbage: the message is not worth the daemon.
func (w *walker) safely(text []byte) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	return w.message(stoppable{bytes.NewReader(text), w.over}, 0)
}

// message reads a whole message, and tells whether it could.
func (w *walker) message(r io.Reader, depth int) bool {
	e, err := message.ReadWithOptions(r, &message.ReadOptions{MaxHeaderBytes: maxHeader})
	if e == nil {
		return err == nil
	}
	return w.entity(e, depth)
}

// entity reads a message or a part of one. What is nested too deep, or in too many parts, is left out.
func (w *walker) entity(e *message.Entity, depth int) bool {
	if w.parts++; w.parts > maxParts || depth > maxDepth {
		return true
	}
	if several := e.MultipartReader(); several != nil {
		return w.multipart(several, depth)
	}
	kind, params, err := e.Header.ContentType()
	if kind = mediaType(kind); kind == "" || err != nil && !strings.Contains(kind, "/") {
		kind = "text/plain" // RFC 2045 section 5.2
	}
	name, attached := fileName(&e.Header, params)
	isText := kind == "text/plain" || kind == "text/html"
	if attached || !isText {
		w.attachment(kind, name)
	}
	switch {
	case kind == "message/rfc822":
		return w.message(e.Body, depth+1) || depth > 0
	case isText:
		w.text(e.Body, kind == "text/html")
	default:
		w.archive(e.Body)
	}
	return true
}

// multipart reads parts until one can't be read. Without a single one it is no multipart.
func (w *walker) multipart(several message.MultipartReader, depth int) bool {
	for n := 0; ; n++ {
		part, err := several.NextPart()
		if part == nil {
			return n > 0 || err == io.EOF && depth > 0
		}
		if w.entity(part, depth+1); w.parts > maxParts {
			return true
		}
	}
}

func (w *walker) text(r io.Reader, isHTML bool) {
	text, _ := io.ReadAll(io.LimitReader(r, int64(w.room))) // what came before an error counts
	w.room -= len(text)
	if isHTML {
		w.html(text)
	} else {
		w.plain(text)
	}
}

func (w *walker) attachment(kind, name string) {
	if len(w.attachments) < maxAttachments {
		w.attachments = append(w.attachments, kind)
		w.extensions = append(w.extensions, extension(name))
	}
}

// archive looks whether an attachment is an archive that can't be opened without a password, from its first bytes.
func (w *walker) archive(r io.Reader) {
	var head [64]byte
	n, _ := io.ReadFull(r, head[:])
	if encrypted(head[:n]) {
		w.encrypted++
	}
}

// encrypted knows ZIP (APPNOTE 4.4.4, bit 0 of the first entry), RAR 4 (encrypted headers) and RAR 5 (a header of type 4).
func encrypted(head []byte) bool {
	if zip, ok := bytes.CutPrefix(head, []byte("PK\x03\x04")); ok {
		return len(zip) > 2 && zip[2]&1 != 0
	}
	if rar4, ok := bytes.CutPrefix(head, []byte("Rar!\x1a\x07\x00")); ok {
		return len(rar4) > 3 && rar4[2] == 0x73 && rar4[3]&0x80 != 0
	}
	rar5, ok := bytes.CutPrefix(head, []byte("Rar!\x1a\x07\x01\x00"))
	return ok && len(rar5) > 5 && rar5[5] == 4 // after the checksum and a size of one byte
}

// mediaType is what of a type may be shown and compared.
func mediaType(s string) string {
	return strings.Map(func(c rune) rune {
		if c <= ' ' || c > '~' || strings.ContainsRune(`"(),:;<=>?@[\]`, c) {
			return -1
		}
		return c
	}, strings.ToLower(s[:min(len(s), 2*maxName)]))
}

// looseName finds a file name in a header that does not keep to RFC 2183: mail programs find it too.
var looseName = regexp.MustCompile(`(?i)(?:file)?name\*?\d*\*?\s*=\s*(?:"([^"]*)|([^;"]*))`)

// fileName is the name of a part, and whether the part is there to be saved rather than read.
func fileName(h *message.Header, params map[string]string) (name string, attached bool) {
	disposition, dparams, err := h.ContentDisposition()
	name = dparams["filename"]
	if name == "" {
		name = params["name"]
	}
	for _, field := range []string{h.Get("Content-Disposition"), h.Get("Content-Type")} {
		if m := looseName.FindStringSubmatch(field); name == "" && m != nil {
			name = m[1] + m[2]
		}
	}
	if decoded, e := new(mime.WordDecoder).DecodeHeader(name); e == nil {
		name = decoded
	}
	return name, name != "" || err == nil && strings.EqualFold(disposition, "attachment")
}

// extension is what follows the last dot of a file's name, as Windows sees it: it passes over spaces and dots at the end.
func extension(name string) string {
	name = strings.TrimRight(name, " .\t\r\n\x00")
	at := strings.LastIndexByte(name, '.')
	if at < 0 || strings.ContainsAny(name[at:], `/\`) {
		return ""
	}
	ext := strings.Map(func(c rune) rune {
		if c <= ' ' || c == 0x7f || c == '\ufffd' {
			return -1
		}
		return c
	}, strings.ToLower(name[at+1:]))
	return string([]rune(ext)[:min(len([]rune(ext)), maxName)])
}

// host notes a link.
func (w *walker) host(name string) {
	w.linkCount++
	if len(w.links) < maxHosts && !slices.Contains(w.links, name) {
		w.links = append(w.links, name)
	}
}
