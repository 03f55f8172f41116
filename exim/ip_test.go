package exim

import (
	"net/netip"
	"testing"
)

func TestParseIP(t *testing.T) {
	for _, s := range []string{"192.0.2.1", "0.0.0.0", "10.0.0.255", "255.255.255.255", "1.2.3.4", "1.22.3.44", "100.20.3.40"} {
		if a, ok := ParseIP(s); !ok || a != netip.MustParseAddr(s) {
			t.Errorf("%s: %v %v", s, a, ok)
		}
	}
	for s, want := range map[string]string{"::ffff:192.0.2.1": "192.0.2.1", "2001:db8::1": "2001:db8::1"} {
		if a, ok := ParseIP(s); !ok || a.String() != want {
			t.Errorf("%s: %v %v", s, a, ok)
		}
	}
	for _, s := range []string{"", "1", "1.2.3", "1.2.3.4.", "256.1.1.1", "192.0.2.01", "192.0.2.300", "192..2.100", ".192.0.2.1", "192.0.2.1x",
		"192.0.2.:1", "192.0.2.1.5", "192.0.2/1", "1111.2.3.4", "192.0.2.1111", "localhost", "12345678", "............"} {
		if a, ok := ParseIP(s); ok {
			t.Errorf("%s was read as %v", s, a)
		}
	}
}

// FuzzParseIP compares with the library: dotted reads nothing that it does not, and the same.
func FuzzParseIP(f *testing.F) {
	for _, s := range []string{"192.0.2.1", "255.255.255.255", "10.20.30.4", "192.0.2.01", "::1", "1.2.3.4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, ok := ParseIP(s)
		want, err := netip.ParseAddr(s)
		if ok != (err == nil) || a != want.Unmap() {
			t.Errorf("%q: %v %v, netip: %v %v", s, a, ok, want, err)
		}
		if _, quick := dotted(s); !quick && err == nil && want.Is4() && len(s) > 7 {
			t.Errorf("%q was not read", s)
		}
	})
}

func BenchmarkParseIP(b *testing.B) {
	list := []string{"192.0.2.1", "10.120.3.45", "203.0.113.99", "8.8.44.123", "142.250.27.26", "52.101.68.5", "17.5.6.77", "198.51.100.240"}
	for b.Loop() {
		for _, s := range list {
			ParseIP(s)
		}
	}
}
