package policy

import (
	"osm"
)

// AppendAnswer writes a verdict as the protocol's answer, with the empty line that ends it. The text is made printable and short: it
// travels through Exim's expansion and into SMTP replies.
func AppendAnswer(dst []byte, v osm.Verdict) []byte {
	action, code := "DUNNO", ""
	if !v.Stops() { // what a rule on trial would do is not done
		v = osm.Verdict{}
	}
	switch v.Action {
	case osm.Defer:
		action, code = "DEFER", "4.7.1 "
	case osm.Hold:
		action = "HOLD"
	case osm.Reject:
		action, code = "REJECT", "5.7.1 "
	case osm.Discard:
		action = "DISCARD"
	case osm.Divert:
		action = "REDIRECT"
	}
	dst = append(append(dst, "action="...), action...)
	if v.Action == osm.Divert {
		dst = appendPlain(append(dst, ' '), v.Detail)
	} else if v.Action != osm.Accept {
		dst = append(append(dst, ' '), code...)
		dst = appendText(dst, v)
	}
	return append(dst, '\n', '\n')
}

// textLimit keeps the whole answer within an SMTP reply line (RFC 5321 section 4.5.3.1.5: 512 octets).
const textLimit = 300

// appendText is what the sender reads: the reason and the id that support can look up. Where a rule has no text, its condition
// would tell how to get around it: the id has to do.
func appendText(dst []byte, v osm.Verdict) []byte {
	start := len(dst)
	if v.Reason != byCondition {
		dst = appendPlain(dst, v.Detail)
	}
	switch {
	case len(dst) > start:
	case v.Action == osm.Defer, v.Action == osm.Hold:
		dst = append(dst, "not accepted now by policy, try again later"...)
	default:
		dst = append(dst, "refused by policy"...)
	}
	if len(dst)-start > textLimit {
		dst = dst[:start+textLimit]
	}
	if v.ID != "" {
		dst = append(append(append(dst, " ("...), v.ID...), ')')
	}
	return dst
}

// appendPlain keeps printable ASCII; everything else becomes a question mark.
func appendPlain(dst []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		if b := s[i]; b >= 0x20 && b < 0x7f {
			dst = append(dst, b)
		} else {
			dst = append(dst, '?')
		}
	}
	return dst
}

// Text is what a sender whose mail a verdict stops reads, on one line: the reason and the verdict's id.
func Text(v osm.Verdict) string { return string(appendText(nil, v)) }
