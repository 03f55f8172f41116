package exim

import "strings"

// cwd is how a submission begins.
const cwd = "cwd="

// argsMark stands between the folder and the arguments of a submission: "cwd=/home/alice 3 args: /usr/sbin/sendmail -t".
const argsMark = " args: "

// submission reads a cwd= line (+arguments). Exim logs the folder as it is, so it can hold " 2 args: " and even newlines,
// and so can the arguments. The right mark is the last one with as many arguments behind it as it says; where none fits
// (Exim cuts long lists) the last one.
func submission(s string, i int, e *Entry) {
	i += len(cwd)
	m, ok := nextMark(s, i, i)
	if !ok {
		e.Dir, e.Forged = s[i:], TornCwd
		return
	}
	if next, more := nextMark(s, i, m.end); more {
		m = bestMark(s, i, m, next)
	}
	e.Dir, e.Args = s[i:m.start], s[m.end:]
	if e.Dir == " (failed)" { // getcwd() did
		e.Dir = ""
	}
}

// mark is a " N args: " in a line: it ends where the arguments begin.
type mark struct {
	start, end, count int
}

// nextMark finds the first mark at or behind s[from:], in a folder that begins at s[dir].
func nextMark(s string, dir, from int) (mark, bool) {
	for end := from; ; { // colons are rare in these lines, unlike spaces
		n := strings.IndexByte(s[end:], ':')
		if n < 0 {
			return mark{}, false
		}
		end += n + 1
		start := end - len(" args:")
		if start < from || !strings.HasPrefix(s[start:], argsMark) {
			continue
		}
		end++
		digit := start
		for digit > dir && '0' <= s[digit-1] && s[digit-1] <= '9' {
			digit--
		}
		if count, length := number(s[digit:start]); length > 0 && digit > dir && s[digit-1] == ' ' {
			return mark{digit - 1, end, count}, true
		}
		from = end
	}
}

// bestMark chooses among the marks of a line that has more than one: m, next and what follows.
func bestMark(s string, dir int, m, next mark) mark {
	const most = 16 // of a line that is all marks
	fits := arguments(s[m.end:]) == m.count
	for range most {
		if ok := arguments(s[next.end:]) == next.count; ok || !fits {
			m, fits = next, ok
		}
		var more bool
		if next, more = nextMark(s, dir, next.end); !more {
			break
		}
	}
	return m
}

// arguments counts the arguments of a command as Exim logs it: those that are empty or hold spaces stand in quotes.
func arguments(s string) (n int) {
	for s != "" {
		end := " "
		if s[0] == '"' {
			end = `" `
		}
		n++
		var more bool
		if _, s, more = strings.Cut(s, end); !more {
			break
		}
	}
	return n
}
