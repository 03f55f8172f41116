package exim

import "testing"

// TestPhrasesAreGrouped: remark looks for a phrase only within the group of its first byte, and takes the first that fits.
func TestPhrasesAreGrouped(t *testing.T) {
	seen := make(map[byte]int)
	for i, p := range phrases {
		if last, ok := seen[p.text[0]]; ok && last != i-1 {
			t.Errorf("%q stands apart from the others with its first byte", p.text)
		}
		seen[p.text[0]] = i
		for _, before := range phrases[:i] {
			if len(before.text) <= len(p.text) && before.text == p.text[:len(before.text)] {
				t.Errorf("%q never gets its turn behind %q", p.text, before.text)
			}
		}
	}
	if len(phrases) > 255 {
		t.Errorf("%d phrases do not fit in phrasesFrom", len(phrases))
	}
}
