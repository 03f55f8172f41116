package policy

import "osm"

// Excepted tells whether a rule accepts a message, or may still turn out to, at a point of the dialogue before it is complete:
// whoever else would refuse it then leaves that for later. m has one recipient at Rcpt, and none before.
func (p *Policy) Excepted(m *osm.Message, at State) bool {
	set := false
	for _, r := range p.rules {
		if r.Off || r.Shadow || r.Action != osm.Accept {
			continue
		}
		about, certain := r.classAt(at, m)
		if certain && !about {
			continue
		}
		if !certain || later(at, r.early.from) != at {
			return true
		}
		if !set {
			p.facts.set(m, 0)
			set = true
		}
		if p.about(r, m) {
			return true
		}
	}
	return false
}
