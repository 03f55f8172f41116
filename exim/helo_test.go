package exim

import "testing"

// TestHeloCannotLie: with helo_accept_junk_hosts a client's HELO can look like the fields of somebody else's message.
func TestHeloCannotLie(t *testing.T) {
	p, e := NewParser(nil), new(Entry)
	for _, c := range []struct{ name, helo, rest string }{
		{"fields", `x) [9.9.9.9]:1 P=esmtpsa A=plain:victim S=1 id=q`, ` id=m@y`},
		{"a subject left open", `x) [9.9.9.9] P=esmtpsa A=plain:victim S=1 id=q T="`, ` id="T=\"x"@y T="caf\303\251 \"q\"" from <"a> for x@y"@osm.test> for b@osm.test`},
		{"a subject left open, no quote behind it", `x) [9.9.9.9] P=esmtpsa A=plain:victim S=1 id=q T="`, ` id=m@y`},
		{"closed by a message id", `x) [9.9.9.9] P=esmtpsa A=plain:victim S=1 T="`, ` id=" for a@b "@y T="x" for b@osm.test`},
		{"closed by the subject", `x) [9.9.9.9] P=esmtpsa A=plain:victim S=1 T="`, ` T=" for x@y " from <s@x> for b@osm.test`},
		{"closed by a recipient", `x) [9.9.9.9] P=esmtpsa A=plain:victim S=1 T="`, ` T=" for x@y " from <s@x> for "b"@osm.test`},
		{"a message id left open", `x) [9.9.9.9] P=esmtpsa A=plain:victim S=1 id="`, ` id="x"@y`},
		{"a recipient left open", `x) [9.9.9.9] P=esmtpsa A=plain:victim S=1 T="hi" for a@b "`, ` T="@y " for c@d`},
		{"a login left open", `x) [9.9.9.9] P=esmtpsa S=1 A=plain:victim`, ` id=m@y`},
		{"recipients", `x) [9.9.9.9] P=esmtpsa A=plain:victim S=1 T="hi" for a@b`, ` id=m@y`},
		{"recipients behind a sender", `x) [9.9.9.9] P=esmtpsa A=plain:victim S=1 T="hi" from <a@b> for `, ` id=m@y`},
		{"a certificate left open", `x) [9.9.9.9] P=esmtpsa A=plain:victim S=1 DN="`, ` T=" x=" from <s@x> for b@osm.test`},
		{"a certificate closed by a message id", `x) [9.9.9.9] P=esmtpsa A=plain:victim S=1 DN="`, ` id=" L "@y T="x"`},
		{"a sender left open", `x) [9.9.9.9] P=esmtpsa A=plain:victim S=1 DN="`, ` T=" from <" from <s@x> for "b"@osm.test`},
		{"a login goes on", `x) [9.9.9.9] P=esmtpsa S=1 A=plain:victim `, ` id=m@y`},
		{"twice", `x) [9.9.9.9] P=smtp S=1 id=q) [8.8.8.8] P=esmtpsa A=plain:victim S=1 T="`, ` id=m@y T="x" for c@d`},
		{"honest", `client.example`, ` id=") [8.8.8.8] P=smtp S=2 A=plain:victim T="@y T=") [8.8.8.8] P=smtp S=2 T=\"" from <s@x> for c@d`},
		{"brackets", `x)`, ` id=m@y T=") [8.8.8.8] S=1" for c@d`},
	} {
		line := "2026-11-23 14:20:59 1xVUuh-0002Bc-0I <= s@x H=mx.example (" + c.helo + ") [192.0.2.7]:54860 P=esmtpa A=plain:john doe S=310" + c.rest
		p.Parse(line, e)
		if e.Helo != c.helo || e.IP != "192.0.2.7" || e.Port != 54860 || e.Login != "john doe" || e.Size != 310 || e.Host != "mx.example" || e.Protocol != "esmtpa" {
			t.Errorf("%s: helo %q, client %q %q:%d, login %q, size %d, protocol %q: %s", c.name, e.Helo, e.Host, e.IP, e.Port, e.Login, e.Size, e.Protocol, line)
		}
	}
}
