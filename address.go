package osm

import "strings"

// Domain is what follows the last @ of a mail address, "" when there is none.
func Domain(address string) string {
	if at := strings.LastIndexByte(address, '@'); at >= 0 {
		return address[at+1:]
	}
	return ""
}
