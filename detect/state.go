package detect

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"osm"
	"osm/window"
)

// The state is kept as pieces under a key: one for each sender and account, and one for each page of the larger tables.
// Every piece begins with the version of its form.
const (
	stateVersion = 2

	senderKey   = "sender/"
	accountKey  = "account/"
	knownKey    = "known/"
	phrasesKey  = "phrases/"
	likenessKey = "likeness/"
	beganKey    = "began"
)

// Dirty hands out every piece of state that changed since the last call, as a key and a blob that Restore understands.
// A nil blob means that the key is gone. The blob is only valid during the call of fn.
func (d *Detector) Dirty(fn func(key string, blob []byte)) {
	var buf []byte
	put := func(key string, fill func(c *codec)) {
		c := codec{buf: append(buf[:0], stateVersion)}
		fill(&c)
		buf = c.buf
		fn(key, buf)
	}
	hex := func(prefix string, hash uint64) string { return prefix + strconv.FormatUint(hash, 16) }
	if d.beganDirty {
		put(beganKey, func(c *codec) { c.u32(&d.began) })
		d.beganDirty = false
	}
	d.senders.changed(func(s *sender) { put(hex(senderKey, s.hash), s.code) },
		func(hash uint64) { fn(hex(senderKey, hash), nil) })
	d.accounts.changed(func(a *account) { put(hex(accountKey, a.hash), a.code) },
		func(hash uint64) { fn(hex(accountKey, hash), nil) })
	pages := func(prefix string) func(page int, cells []uint64) {
		return func(page int, cells []uint64) {
			put(prefix+strconv.Itoa(page), func(c *codec) {
				for i := range cells {
					if cells[i] != 0 { // most of a young table is empty, and a member tells its own place
						c.u64(&cells[i])
					}
				}
			})
		}
	}
	d.known.Changed(pages(knownKey))
	d.phrases.Changed(pages(phrasesKey))
	d.likeness.changed(func(page int, cells []common) {
		put(likenessKey+strconv.Itoa(page), func(c *codec) {
			for i := range cells {
				cells[i].code(c)
			}
		})
	})
}

var errDamaged = errors.New("the saved state is damaged")

// Restore reads one piece of state that Dirty has handed out, of this or an older version. A damaged blob is an error
// and changes nothing; what it held is learned again.
func (d *Detector) Restore(key string, blob []byte) error {
	if len(blob) == 0 || blob[0] == 0 || blob[0] > stateVersion {
		return fmt.Errorf("restore %q of the detector: %w", key, errDamaged)
	}
	c := &codec{buf: blob, at: 1, reading: true, version: blob[0]}
	if kind, rest, _ := strings.Cut(key, "/"); !d.restore(kind+"/", rest, c) {
		return fmt.Errorf("restore %q of the detector: %w", key, errDamaged)
	}
	return nil
}

func (d *Detector) restore(kind, name string, c *codec) bool {
	hash, err := strconv.ParseUint(name, 16, 64)
	switch kind {
	case beganKey + "/":
		var began window.Seconds
		if c.u32(&began); c.whole() {
			d.began = began
		}
		return c.whole()
	case senderKey:
		s := &sender{row: row{hash: hash, saved: true}}
		if s.code(c); err != nil || !c.whole() {
			return false
		}
		d.senders.add(s)
		return true
	case accountKey:
		a := &account{row: row{hash: hash, saved: true}}
		if a.code(c); err != nil || !c.whole() {
			return false
		}
		d.accounts.add(a)
		return true
	case likenessKey:
		page, err := strconv.Atoi(name)
		return err == nil && d.likeness.restore(page, c)
	case knownKey:
		return restorePage(d.known, c)
	case phrasesKey:
		return restorePage(d.phrases, c)
	}
	return false
}

func restorePage(k *window.Known, c *codec) bool {
	cells := make([]uint64, (len(c.buf)-c.at)/8)
	for i := range cells {
		c.u64(&cells[i])
	}
	if !c.whole() {
		return false
	}
	k.Load(cells)
	return true
}

// codec writes fields one after the other, or reads them in the same order: one list of fields serves both ways.
type codec struct {
	buf     []byte
	at      int // place of the next byte to read
	reading bool
	short   bool
	version uint8 // of what is read
}

// older tells whether what is read was kept by a version that ended here. The first version grew at its end.
func (c *codec) older() bool { return c.reading && c.version == 1 && c.at == len(c.buf) }

// whole tells whether everything was there and nothing is left over.
func (c *codec) whole() bool { return !c.short && c.at == len(c.buf) }

func (c *codec) next(n int) []byte {
	if len(c.buf)-c.at < n {
		c.short = true
		return nil
	}
	c.at += n
	return c.buf[c.at-n : c.at]
}

func (c *codec) u8(v *uint8) {
	if !c.reading {
		c.buf = append(c.buf, *v)
	} else if b := c.next(1); b != nil {
		*v = b[0]
	}
}

func (c *codec) u16(v *uint16) {
	if !c.reading {
		c.buf = binary.LittleEndian.AppendUint16(c.buf, *v)
	} else if b := c.next(2); b != nil {
		*v = binary.LittleEndian.Uint16(b)
	}
}

func (c *codec) i16(v *int16) {
	u := uint16(*v)
	c.u16(&u)
	*v = int16(u)
}

func (c *codec) u32(v *uint32) {
	if !c.reading {
		c.buf = binary.LittleEndian.AppendUint32(c.buf, *v)
	} else if b := c.next(4); b != nil {
		*v = binary.LittleEndian.Uint32(b)
	}
}

func (c *codec) u64(v *uint64) {
	if !c.reading {
		c.buf = binary.LittleEndian.AppendUint64(c.buf, *v)
	} else if b := c.next(8); b != nil {
		*v = binary.LittleEndian.Uint64(b)
	}
}

// f32 refuses what is no number: it would never leave the score again.
func (c *codec) f32(v *float32) {
	bits := math.Float32bits(*v)
	if c.u32(&bits); !c.reading {
		return
	}
	if f := math.Float32frombits(bits); f-f == 0 {
		*v = f
	} else {
		c.short = true
	}
}

func (c *codec) text(v *string) {
	n := uint16(min(len(*v), math.MaxUint16))
	if c.u16(&n); !c.reading {
		c.buf = append(c.buf, (*v)[:n]...)
	} else if b := c.next(int(n)); b != nil {
		*v = string(b)
	}
}

func (c *codec) decayed(v *window.Decayed) {
	c.f32(&v.Sum)
	c.u32(&v.At)
}

func (c *codec) share(v *share) {
	for _, f := range []*float32{&v.cases, &v.all, &v.casesToday, &v.today} {
		c.f32(f)
	}
}

func (a *attr) code(c *codec) {
	c.u64(&a.hash)
	c.u32(&a.born)
	c.u32(&a.last)
	c.u8(&a.trust)
	c.u16(&a.day)
	c.u16(&a.fresh)
	c.u16(&a.all)
}

func (a *account) code(c *codec) {
	c.u32(&a.last)
	c.u32(&a.first)
	c.decayed(&a.stop)
	c.u64(&a.by)
}

func (e *evidence) code(c *codec) {
	c.u32(&e.at)
	c.u64(&e.recent)
	for _, v := range e.counts() {
		c.f32(v)
	}
}

func (s *sender) code(c *codec) {
	kind := uint8(s.key.Kind)
	c.u8(&kind)
	s.key.Kind = osm.KeyKind(kind)
	c.text(&s.key.Value)
	c.u64(&s.account)
	for _, v := range []*uint32{&s.last, &s.first, &s.hour, &s.day} {
		c.u32(v)
	}
	for _, v := range []*float32{&s.sent, &s.inHr, &s.worst, &s.strangers} {
		c.f32(v)
	}
	c.u8(&s.topDay)
	for p := range properties {
		c.values(&s.values, p)
	}
	for _, h := range s.habits() {
		c.share(h)
	}
	for i := range s.sizes {
		c.u16(&s.sizes[i])
	}
	for _, v := range s.week.Fields() {
		c.u8(v)
	}
	c.decayed(&s.quick)
	c.decayed(&s.fails)
	s.familiar.code(c)
	s.strange.code(c)
	if !c.older() { // what was kept before complaints were counted has none
		c.decayed(&s.complaints)
	}
	if !c.older() { // nor does what was kept before lists and places were
		for _, e := range []*evidence{&s.familiar, &s.strange} {
			c.f32(&e.list.bought)
			c.f32(&e.list.own)
			c.f32(&e.deadRun)
			c.f32(&e.spamRun)
		}
		c.i16(&s.where.Latitude)
		c.i16(&s.where.Longitude)
		c.u32(&s.whereAt)
	}
}
