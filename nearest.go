package osm

// Nearest is the name that a misspelt one was probably meant to be, "" when none is like it.
func Nearest(misspelt string, names []string) string {
	best, dist := "", len(misspelt)/2+1
	for _, name := range names {
		if d := EditDistance(misspelt, name); d < dist {
			best, dist = name, d
		}
	}
	return best
}

// EditDistance counts the characters to insert, remove, replace or swap to get from one name to the other.
func EditDistance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
