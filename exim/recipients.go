package exim

import "strings"

// EachRecipient calls fn for every address in the "for" list of an arrival, in the order of the list, until fn returns
// false. Quoted local parts may hold spaces ("sp ace"@far.example). It allocates nothing; what fn gets is a part of
// recipients. It is an iterator:
//
//	for address := range EachRecipient(e.Recipients) { ... }
func EachRecipient(recipients string) func(fn func(address string) bool) {
	return func(fn func(string) bool) {
		for i := 0; i < len(recipients); i++ {
			end := addressEnd(recipients, i)
			if end > i && !fn(recipients[i:end]) {
				return
			}
			i = end
		}
	}
}

// addressEnd returns the end of the address at s[i:]: the next space outside quotes, or the end of s. Where a quote is
// never closed it is taken for an ordinary character.
func addressEnd(s string, i int) int {
	end, quote := spaceOrQuoteAt(s, i)
	if !quote {
		return end
	}
	for j := i; j < len(s); j++ {
		switch s[j] {
		case ' ':
			return j
		case '"':
			if j = quoteEnd(s, j+1); j == len(s) {
				return end
			}
		}
	}
	return len(s)
}

// quoteEnd returns the index of the quote that closes the one before s[i:], len(s) if there is none. Inside, a backslash
// protects the character after it.
func quoteEnd(s string, i int) int {
	for i < len(s) {
		j := strings.IndexByte(s[i:], '"')
		if j < 0 {
			return len(s)
		}
		j += i
		slashes := 0
		for slashes < j-i && s[j-1-slashes] == '\\' {
			slashes++
		}
		if slashes%2 == 0 {
			return j
		}
		i = j + 1
	}
	return len(s)
}

// angleEnd returns the index of the > that closes the < at s[i], -1 if there is none before a space outside quotes.
func angleEnd(s string, i int) int {
	for j := i + 1; j < len(s); j++ {
		switch s[j] {
		case '>':
			return j
		case ' ':
			return -1
		case '"':
			end := quoteEnd(s, j+1)
			if end == len(s) { // no quote after all
				continue
			}
			j = end
		}
	}
	return -1
}

// wellFormed tells whether a list of addresses has quotes and brackets only where they may be: quotes around whole parts
// of a local part, round and angle brackets within quotes (RFC 5322 section 3.4.1).
func wellFormed(list string) bool {
	if !strings.ContainsAny(list, `"\()<>`) {
		return true
	}
	for i := 0; i < len(list); i++ {
		switch list[i] {
		case '\\', '(', ')', '<', '>':
			return false
		case '"':
			if i > 0 && list[i-1] != ' ' && list[i-1] != '.' {
				return false
			}
			i = quoteEnd(list, i+1) + 1
			if i >= len(list) || list[i] != '@' && list[i] != '.' {
				return false
			}
		}
	}
	return true
}
