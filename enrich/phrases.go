package enrich

// phrases finds which of many phrases occur in a text that is fed to it byte by byte: an Aho-Corasick automaton. Of the
// rows whose phrases occur the first one counts.
type phrases struct {
	next [][symbols]uint16 // state and symbol -> state
	best []uint16          // state -> lowest row of a phrase that ends there, none when no phrase does
}

const (
	symbols = 37 // a to z, 0 to 9 and the space between words
	space   = 36
	none    = 0xffff
)

// symbol is the class of a byte: letters without case, digits, and everything else as a space.
func symbol(c byte) byte { return symbolOf[c] }

var symbolOf = func() (t [256]byte) {
	for i := range t {
		switch c := byte(i); {
		case 'a' <= c && c <= 'z':
			t[i] = c - 'a'
		case 'A' <= c && c <= 'Z':
			t[i] = c - 'A'
		case '0' <= c && c <= '9':
			t[i] = c - '0' + 26
		default:
			t[i] = space
		}
	}
	return t
}()

// newPhrases builds the automaton from rows of phrases. A phrase matches whole words; a * at its end lets its last
// word go on.
func newPhrases(rows [][]string) *phrases {
	p := &phrases{}
	p.state()
	for row, list := range rows {
		for _, phrase := range list {
			p.insert(phrase, uint16(row))
		}
	}
	p.link()
	return p
}

// state adds a state and returns its number.
func (p *phrases) state() uint16 {
	p.next = append(p.next, [symbols]uint16{})
	p.best = append(p.best, none)
	return uint16(len(p.next) - 1)
}

// insert adds one phrase to the trie.
func (p *phrases) insert(phrase string, row uint16) {
	s, last := uint16(0), byte(0)
	step := func(c byte) {
		if c == space && last == space {
			return
		}
		if p.next[s][c] == 0 {
			n := p.state()
			p.next[s][c] = n
		}
		s, last = p.next[s][c], c
	}
	step(space)
	open := len(phrase) > 0 && phrase[len(phrase)-1] == '*'
	if open {
		phrase = phrase[:len(phrase)-1]
	}
	for i := range len(phrase) {
		step(symbol(phrase[i]))
	}
	if !open {
		step(space)
	}
	p.best[s] = min(p.best[s], row)
}

// link turns the trie into an automaton: where a text leaves a phrase it goes on with the longest other one that it may
// be in.
func (p *phrases) link() {
	fail := make([]uint16, len(p.next))
	var queue []uint16
	for _, s := range p.next[0] {
		if s != 0 {
			queue = append(queue, s)
		}
	}
	for len(queue) > 0 {
		s := queue[0]
		queue = queue[1:]
		p.best[s] = min(p.best[s], p.best[fail[s]])
		for c := range p.next[s] {
			other := p.next[fail[s]][c]
			if t := p.next[s][c]; t != 0 {
				fail[t] = other
				queue = append(queue, t)
			} else {
				p.next[s][c] = other
			}
		}
	}
}

// search is one text on its way through the automaton.
type search struct {
	state uint16
	last  byte   // symbol before
	row   uint16 // lowest row found, none so far
}

// feed takes the next symbol; spaces in a row count once.
func (s *search) feed(p *phrases, c byte) {
	if c == space && s.last == space {
		return
	}
	s.state, s.last = p.next[s.state][c], c
	s.row = min(s.row, p.best[s.state])
}

// word feeds a whole word, with the spaces around it.
func (s *search) word(p *phrases, w string) {
	s.feed(p, space)
	for i := range len(w) {
		s.feed(p, symbol(w[i]))
	}
	s.feed(p, space)
}
