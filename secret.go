package osm

// Secret is a password or key from a config file. Printed, logged or written as JSON or TOML it shows as <secret>, so
// that it can't get out by accident; Reveal is for the one place that needs it.
type Secret string

// hidden stands for a secret wherever one would be shown.
const hidden = "<secret>"

func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString keeps it out of %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText keeps it out of JSON, TOML and structured logs.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Reveal is the secret itself.
func (s Secret) Reveal() string { return string(s) }
