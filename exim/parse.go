package exim

import "time"

// Parser reads log lines, one after the other. It holds the zone of logs that bear local times and caches that spare
// work from line to line; it reads no clock and must not be shared between goroutines.
type Parser struct {
	zone *time.Location
}

// NewParser makes a parser for logs whose times are local to zone. Lines that bear a zone of their own keep it.
func NewParser(zone *time.Location) *Parser {
	return &Parser{zone: zone}
}

// Parse reads one line, without its newline, into e, which is reset first. It never fails: what is not understood has
// the kind Unknown.
func (p *Parser) Parse(line string, e *Entry) {
	*e = Entry{Line: line}
}
