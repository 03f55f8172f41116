package enrich

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/oschwald/maxminddb-golang/v2"

	"osm"
)

// places finds the country and the autonomous system of an address.
type places struct {
	country, asn database
	cache        []place // by a hash of the address; nil while there is no database
	logger       *slog.Logger
}

// place is what the databases say of one address.
type place struct {
	addr    netip.Addr
	country string
	where   osm.Coordinates
	asn     uint32
}

const (
	cacheSize = 4096      // a lookup in two databases takes 0.4 us, one here 10 ns
	maxSize   = 512 << 20 // bytes of a database
)

// database is one file. It is read into memory: a mapped file that is overwritten in place would end the program.
type database struct {
	path   string
	info   fs.FileInfo // of the file as it was read
	fresh  bool        // it had changed so shortly before that a second change might not show
	reader *maxminddb.Reader
	err    error
}

func newPlaces(c Config, logger *slog.Logger) *places {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	return &places{country: database{path: c.Country}, asn: database{path: c.ASN}, logger: logger}
}

// reload reads the databases again that have changed. One that is missing or damaged keeps what was read before. What it
// returns puts them to use.
func (p *places) reload(now time.Time) (use func()) {
	next, changed := [...]database{p.country, p.asn}, false
	for i := range next {
		d := &next[i]
		before := d.err
		changed = d.reload(now) || changed
		if d.err != nil && (before == nil || before.Error() != d.err.Error()) {
			p.logger.Warn("a database of places is not used", "error", d.err)
		}
	}
	return func() {
		p.country, p.asn = next[0], next[1]
		if changed {
			p.cache = make([]place, cacheSize)
		}
	}
}

func (d *database) reload(now time.Time) (changed bool) {
	if d.path == "" {
		return false
	}
	info, err := os.Stat(d.path)
	if err != nil {
		d.err = err
		return false
	}
	if d.info != nil && !d.fresh && os.SameFile(info, d.info) && info.ModTime().Equal(d.info.ModTime()) &&
		info.Size() == d.info.Size() {
		return false
	}
	d.info, d.fresh = info, now.Sub(info.ModTime()).Abs() < 2*time.Second
	reader, err := openDatabase(d.path, info)
	if err != nil {
		d.err = fmt.Errorf("read %s: %w", d.path, err)
		return false
	}
	d.reader, d.err = reader, nil
	return true
}

func openDatabase(path string, info fs.FileInfo) (*maxminddb.Reader, error) {
	if !info.Mode().IsRegular() || info.Size() > maxSize {
		return nil, errors.New("not a plain file of at most 512 MB")
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return maxminddb.OpenBytes(data)
}

func (p *places) notices() (list []string) {
	for i, d := range [...]*database{&p.country, &p.asn} {
		if d.err != nil {
			list = append(list, [...]string{"countries", "autonomous systems"}[i]+" are not looked up anew: "+d.err.Error())
		}
	}
	return list
}

func (p *places) close() error {
	var errs []error
	for _, d := range [...]*database{&p.country, &p.asn} {
		if d.reader != nil {
			errs = append(errs, d.reader.Close())
			d.reader = nil
		}
	}
	p.cache = nil
	return errors.Join(errs...)
}

// find sets the country, the coordinates and the autonomous system of a message's client.
func (p *places) find(m *osm.Message) {
	if p.cache == nil || !m.Client.IsValid() || m.Client.IsPrivate() || m.Client.IsLoopback() {
		return
	}
	at := &p.cache[slotOf(m.Client)]
	if at.addr != m.Client {
		*at = place{addr: m.Client, country: p.country.countryOf(m.Client), where: p.country.coordinatesOf(m.Client), asn: p.asn.asnOf(m.Client)}
	}
	m.Country, m.Where, m.ASN = at.country, at.where, at.asn
}

// slotOf is an address's place in the cache. Two that share one take turns.
func slotOf(a netip.Addr) uint32 {
	h := uint64(14695981039346656037) // FNV-1a
	for _, b := range a.As16() {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return uint32(h>>32) % cacheSize
}

// The names of the fields differ between the makers of databases: MaxMind and DB-IP, IPinfo, and others.
var (
	countryPaths    = [...][]any{{"country", "iso_code"}, {"registered_country", "iso_code"}, {"country_code"}, {"country"}}
	coordinatePaths = [...][2][]any{{{"location", "latitude"}, {"location", "longitude"}}, {{"lat"}, {"lng"}}}
	asnPaths        = [...][]any{{"autonomous_system_number"}, {"asn"}, {"as_number"}}
)

// countryOf is the ISO 3166 code of an address's country, "" when the database has none.
func (d *database) countryOf(a netip.Addr) string {
	if d.reader == nil {
		return ""
	}
	result := d.reader.Lookup(a)
	for _, path := range countryPaths {
		var code string
		if result.DecodePath(&code, path...) == nil && len(code) == 2 {
			return strings.ToUpper(code)
		}
	}
	return ""
}

// coordinatesOf is where an address is, unknown when the database has countries only.
func (d *database) coordinatesOf(a netip.Addr) osm.Coordinates {
	if d.reader == nil {
		return osm.Coordinates{}
	}
	result := d.reader.Lookup(a)
	for _, paths := range coordinatePaths {
		latitude, ok := degrees(result, paths[0]...)
		longitude, both := degrees(result, paths[1]...)
		if ok && both {
			return osm.CoordinatesOf(latitude, longitude)
		}
	}
	return osm.Coordinates{}
}

// degrees reads a number, or a text with one as IPinfo has it.
func degrees(result maxminddb.Result, path ...any) (float64, bool) {
	var number float64
	if err := result.DecodePath(&number, path...); err == nil && number != 0 {
		return number, true
	}
	var text string
	if result.DecodePath(&text, path...) != nil {
		return 0, false
	}
	number, err := strconv.ParseFloat(text, 64)
	return number, err == nil
}

// asnOf is the number of an address's autonomous system, 0 when the database has none.
func (d *database) asnOf(a netip.Addr) uint32 {
	if d.reader == nil {
		return 0
	}
	result := d.reader.Lookup(a)
	for _, path := range asnPaths {
		var number uint32
		if result.DecodePath(&number, path...) == nil && number != 0 {
			return number
		}
		var text string // "AS64500"
		if result.DecodePath(&text, path...) == nil {
			if n, err := strconv.ParseUint(strings.TrimPrefix(text, "AS"), 10, 32); err == nil {
				return uint32(n)
			}
		}
	}
	return 0
}
