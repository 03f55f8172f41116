package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"

	"osm/sim"
)

// simulated is the log that everything is measured on.
type simulated struct {
	path                   string
	lines, messages, bytes int
}

// makeLog writes so many lines of one server's simulated mail.
func makeLog(path string, lines int, style sim.Style) (*simulated, error) {
	world := sim.New(sim.Config{Seed: 1, Accounts: 400, Days: 42, Style: style})
	w := &limited{left: lines}
	if err := world.WriteLog(w, nil); err != nil && !errors.Is(err, errEnough) {
		return nil, err
	}
	if w.left > 0 {
		return nil, fmt.Errorf("the simulated server writes %d lines only, %d are wanted", lines-w.left, lines)
	}
	text := w.text.String()
	return &simulated{path: path, lines: lines, messages: strings.Count(text, " <= "), bytes: len(text)},
		os.WriteFile(path, []byte(text), 0o644)
}

// limited takes so many lines and no more.
type limited struct {
	text strings.Builder
	left int
}

var errEnough = errors.New("enough")

func (l *limited) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		end := bytes.IndexByte(rest, '\n') + 1
		if end == 0 {
			end = len(rest)
		}
		l.text.Write(rest[:end])
		if rest[end-1] == '\n' {
			if l.left--; l.left == 0 {
				return len(p), errEnough
			}
		}
		rest = rest[end:]
	}
	return len(p), nil
}
