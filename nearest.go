package osm

// Nearest is the name that a misspelt one was probably meant to be, "" when none is like it.
func Nearest(misspelt string, names []string) string {
	best, dist := "", len(misspelt)/2+1
	for _, name := range names {
		if d := editDistance(misspelt, name); d < dist {
			best, dist = name, d
		}
	}
	return best
}

// editDistance counts the letters to insert, delete or replace (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := last
			if a[i] != b[j] {
				cost++
			}
			last = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
