package main

import (
	"encoding/json"
	"io"
	"os"
	"strconv"
	"strings"

	"charm.land/lipgloss/v2"
	"golang.org/x/term"

	"osm"
)

// table prints rows in columns. Cells are hostile: they are made printable here, and nowhere before.
type table struct {
	heads []string
	right []bool // columns of numbers
	whole []bool // columns that are never cut
	rows  [][]string
}

// newTable makes a table; a head that begins with > is that of a column of numbers, one that begins with ! of texts
// that are of no use when they are cut.
func newTable(heads ...string) *table {
	t := &table{heads: make([]string, len(heads)), right: make([]bool, len(heads)), whole: make([]bool, len(heads))}
	for i, h := range heads {
		h, t.right[i] = strings.CutPrefix(h, ">")
		t.heads[i], t.whole[i] = strings.CutPrefix(h, "!")
	}
	return t
}

func (t *table) add(cells ...string) {
	row := make([]string, len(t.heads))
	for i := range row {
		row[i] = osm.Printable(cells[i])
	}
	t.rows = append(t.rows, row)
}

// write prints the table, at most width cells wide (0: as wide as it gets): the widest columns of text are cut.
func (t *table) write(w io.Writer, width int) error {
	widths := t.widths(width)
	var b strings.Builder
	for _, row := range append([][]string{t.heads}, t.rows...) {
		line := ""
		for i, cell := range row {
			cell = cut(cell, widths[i])
			pad := strings.Repeat(" ", widths[i]-lipgloss.Width(cell))
			if t.right[i] {
				cell = pad + cell
			} else {
				cell += pad
			}
			if i > 0 {
				line += "  "
			}
			line += cell
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (t *table) widths(width int) []int {
	widths := make([]int, len(t.heads))
	total := 2 * (len(widths) - 1)
	for i, head := range t.heads {
		widths[i] = lipgloss.Width(head)
		for _, row := range t.rows {
			widths[i] = max(widths[i], lipgloss.Width(row[i]))
		}
		total += widths[i]
	}
	const least = 8
	for ; width > 0 && total > width; total-- {
		widest := -1
		for i, w := range widths {
			if !t.right[i] && !t.whole[i] && w > least && (widest < 0 || w > widths[widest]) {
				widest = i
			}
		}
		if widest < 0 {
			break
		}
		widths[widest]--
	}
	return widths
}

// cut shortens a printable text to so many cells.
func cut(s string, width int) string {
	if lipgloss.Width(s) <= width {
		return s
	}
	taken := 0
	for i, r := range s {
		if taken += lipgloss.Width(string(r)); taken > width-1 {
			return s[:i] + "…"
		}
	}
	return s
}

// terminalWidth is the width of the terminal that w is, or 0 when it is none.
func terminalWidth(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// writeJSON prints one value, indented.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// number writes a count with separators: 1,234,567.
func number[N ~int | ~int64](n N) string {
	digits := strconv.FormatInt(int64(n), 10)
	start := 0
	if digits[0] == '-' {
		start = 1
	}
	for i := len(digits) - 3; i > start; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
