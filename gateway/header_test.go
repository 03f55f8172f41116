package gateway

import (
	"testing"

	"osm"
)

// TestReadHeader: what rules are told of a header is what a mail program would show, also where it does not keep to RFC 5322.
func TestReadHeader(t *testing.T) {
	for header, want := range map[string]osm.Message{
		"Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\nFrom: Ann <ann@shop.example>\r\nMessage-ID: <1@shop.example>\r\n": {Subject: "Grüße", HasSubject: true,
			From: "ann@shop.example", MessageID: "1@shop.example"},
		"From: Bank <x@y@z>\r\n <ann@shop.example>\r\n":    {From: "ann@shop.example"},
		"FROM : Ann [at] <ann@shop.example> (CEO\r\n":      {From: "ann@shop.example"},
		"From: nobody\r\nFrom: b@far.example\r\n":          {From: "b@far.example"},
		"Subject: a\r\nSubject: b\r\nno header at all\r\n": {Subject: "a", HasSubject: true},
	} {
		var got osm.Message
		readHeader([]byte(header+"\r\nFrom: c@body.example\r\n"), &got)
		if got.Subject != want.Subject || got.HasSubject != want.HasSubject || got.From != want.From || got.MessageID != want.MessageID {
			t.Errorf("%q: %+v", header, got)
		}
	}
}
