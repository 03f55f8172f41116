package lab

import (
	"fmt"
	"net"
	"os"

	"github.com/maxmind/mmdbwriter"
	"github.com/maxmind/mmdbwriter/mmdbtype"
)

// WriteCountries writes a database that puts the town's clients into countries. Their addresses are those that are
// reserved for documentation and for benchmarks (RFC 5737, RFC 2544), so the database lies about nobody.
func WriteCountries(path string) error {
	tree, err := mmdbwriter.New(mmdbwriter.Options{DatabaseType: "Lab-Country", IncludeReservedNetworks: true})
	if err != nil {
		return fmt.Errorf("make a database of countries: %w", err)
	}
	put := func(network *net.IPNet, code string) {
		if err == nil {
			err = tree.Insert(network, mmdbtype.Map{"country": mmdbtype.Map{"iso_code": mmdbtype.String(code)}})
		}
	}
	put(network(203, 0, 113), "DE")
	put(network(192, 0, 2), "NL")
	world := []string{"VN", "BR", "IN", "ID", "NG", "TH", "AR", "EG", "MX", "PK", "CO", "PH", "ZA", "TR", "UA", "KE"}
	for i := range 512 {
		put(network(198, byte(18+i/256), byte(i)), world[i%len(world)])
	}
	if err != nil {
		return fmt.Errorf("make a database of countries: %w", err)
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := tree.WriteTo(f); err != nil {
		f.Close()
		return fmt.Errorf("write %s: %w", path, err)
	}
	return f.Close()
}

// network is an IPv4 /24.
func network(a, b, c byte) *net.IPNet {
	return &net.IPNet{IP: net.IPv4(a, b, c, 0).To4(), Mask: net.CIDRMask(24, 32)}
}
