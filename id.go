package osm

import (
	"encoding/base32"
	"encoding/binary"
)

// ShortID writes the upper 40 bits of a hash as eight letters and digits that people can read out.
func ShortID(hash uint64) string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], hash)
	return base32.StdEncoding.EncodeToString(b[:5])
}
