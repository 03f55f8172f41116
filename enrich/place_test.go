package enrich

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"

	"osm"
)

var t0 = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// writeDatabase makes a database of networks and what is said of them, as of a time.
func writeDatabase(tb testing.TB, path string, at time.Time, records map[string]mmdbtype.Map) {
	tb.Helper()
	w, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "osm-test", RecordSize: 24, IncludeReservedNetworks: true})
	if err != nil {
		tb.Fatal(err)
	}
	for network, record := range records {
		_, n, err := net.ParseCIDR(network)
		if err == nil {
			err = w.Insert(n, record)
		}
		if err != nil {
			tb.Fatal(err)
		}
	}
	f, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := w.WriteTo(f); err != nil {
		tb.Fatal(err)
	}
	if err := f.Close(); err != nil {
		tb.Fatal(err)
	}
	if err := os.Chtimes(path, at, at); err != nil {
		tb.Fatal(err)
	}
}

// country is a record in MaxMind's form.
func country(code string) mmdbtype.Map {
	return mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.String(code)}}
}

// city is a record in MaxMind's form, with coordinates.
func city(code string, latitude, longitude float64) mmdbtype.Map {
	record := country(code)
	record["location"] = mmdbtype.Map{"latitude": mmdbtype.Float64(latitude), "longitude": mmdbtype.Float64(longitude)}
	return record
}

// TestCoordinates: a database of cities tells where an address is, one of countries does not.
func TestCoordinates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "city.mmdb")
	writeDatabase(t, path, t0, map[string]mmdbtype.Map{
		"203.0.113.0/24":  city("DE", 52.52, 13.41),
		"198.51.100.0/24": {"lat": mmdbtype.String("-33.87"), "lng": mmdbtype.String("151.21")},
		"192.0.2.0/24":    country("FR"),
		"2001:db8:1::/48": city("DE", 1000, 13),
		"2001:db8:2::/48": {"lat": mmdbtype.String("north"), "lng": mmdbtype.String("1")},
	})
	e := New(Options{Config: Config{Country: path}})
	defer e.Close()
	for client, want := range map[string]osm.Coordinates{"203.0.113.9": osm.CoordinatesOf(52.52, 13.41),
		"198.51.100.9": osm.CoordinatesOf(-33.87, 151.21), "192.0.2.9": {}, "2001:db8:1::1": {}, "2001:db8:2::1": {}, "203.0.114.1": {}} {
		m := osm.Message{Client: netip.MustParseAddr(client), Login: "a@b"}
		if e.Message(&m); m.Where != want {
			t.Errorf("%s is at %v, want %v", client, m.Where, want)
		}
	}
}

// whereabouts is what the enricher says of a client.
func whereabouts(e *Enricher, client string) (string, uint32) {
	m := osm.Message{Client: netip.MustParseAddr(client), Login: "a@b"}
	e.Message(&m)
	return m.Country, m.ASN
}

func TestPlaces(t *testing.T) {
	dir := t.TempDir()
	countries, systems := filepath.Join(dir, "country.mmdb"), filepath.Join(dir, "asn.mmdb")
	writeDatabase(t, countries, t0, map[string]mmdbtype.Map{
		"203.0.113.0/24":  country("DE"),
		"198.51.100.0/24": {"registered_country": mmdbtype.Map{"iso_code": mmdbtype.String("FR")}},
		"192.0.2.0/24":    {"country_code": mmdbtype.String("us")},
		"2001:db8:1::/48": {"country": mmdbtype.String("JP")},
		"2001:db8:2::/48": {"country": mmdbtype.String("Japan")},
	})
	writeDatabase(t, systems, t0, map[string]mmdbtype.Map{
		"203.0.113.0/24":  {"autonomous_system_number": mmdbtype.Uint32(64500)},
		"198.51.100.0/24": {"asn": mmdbtype.String("AS64501")},
	})
	e := New(Options{Config: Config{Country: countries, ASN: systems}})
	defer e.Close()
	for range 2 { // the second time from the cache
		for client, want := range map[string]struct {
			country string
			asn     uint32
		}{
			"203.0.113.9":     {"DE", 64500},
			"198.51.100.9":    {"FR", 64501},
			"192.0.2.9":       {"US", 0},
			"2001:db8:1::9":   {"JP", 0},
			"2001:db8:2::9":   {"", 0},
			"233.252.0.1":     {"", 0},
			"127.0.0.1":       {"", 0},
			"192.168.1.1":     {"", 0},
			"2001:db8:ffff::": {"", 0},
		} {
			if code, asn := whereabouts(e, client); code != want.country || asn != want.asn {
				t.Errorf("%s: %q, %d; want %q, %d", client, code, asn, want.country, want.asn)
			}
		}
	}
	if notices := e.Notices(); len(notices) > 0 {
		t.Errorf("notices %q", notices)
	}
}

func TestPlacesReload(t *testing.T) {
	path := filepath.Join(t.TempDir(), "country.mmdb")
	e := New(Options{Config: Config{Country: path}})
	defer e.Close()
	if notices := e.Notices(); len(notices) != 1 || !strings.Contains(notices[0], "no such file") {
		t.Fatalf("a missing file: notices %q", notices)
	}
	if code, _ := whereabouts(e, "203.0.113.9"); code != "" {
		t.Errorf("country %q out of nothing", code)
	}

	writeDatabase(t, path, t0, map[string]mmdbtype.Map{"203.0.113.0/24": country("DE")})
	e.Reload(t0.Add(time.Minute))()
	if code, _ := whereabouts(e, "203.0.113.9"); code != "DE" || len(e.Notices()) > 0 {
		t.Errorf("country %q, notices %q", code, e.Notices())
	}

	writeDatabase(t, path, t0.Add(time.Hour), map[string]mmdbtype.Map{"203.0.113.0/24": country("SE")})
	e.Reload(t0.Add(2 * time.Hour))()
	if code, _ := whereabouts(e, "203.0.113.9"); code != "SE" {
		t.Errorf("after a change: %q", code)
	}

	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, whole[:len(whole)/2], 0o600); err != nil { // still being copied
		t.Fatal(err)
	}
	e.Reload(t0.Add(3 * time.Hour))()
	if code, _ := whereabouts(e, "203.0.113.9"); code != "SE" || len(e.Notices()) != 1 {
		t.Errorf("half a file: %q, notices %q", code, e.Notices())
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	e.Reload(t0.Add(4 * time.Hour))()
	if code, _ := whereabouts(e, "203.0.113.9"); code != "SE" || len(e.Notices()) != 0 {
		t.Errorf("the whole file again: %q, notices %q", code, e.Notices())
	}
}

func BenchmarkPlaces(b *testing.B) {
	path := filepath.Join(b.TempDir(), "country.mmdb")
	writeDatabase(b, path, t0, map[string]mmdbtype.Map{"203.0.113.0/24": country("DE")})
	e := New(Options{Config: Config{Country: path}})
	defer e.Close()
	m := osm.Message{Client: netip.MustParseAddr("203.0.113.9")}
	for b.Loop() {
		e.places.find(&m)
	}
}
