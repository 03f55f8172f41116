package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// WaitLog returns the first line of the main log that has all the texts, waiting for it until ctx ends. The error has the
// end of the log: what was written instead.
func (e *Exim) WaitLog(ctx context.Context, texts ...string) (string, error) {
	f, err := e.openLog(ctx)
	if err != nil {
		return "", err
	}
	defer f.Close()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	in := bufio.NewReader(f)
	var line, before string
	for {
		part, err := in.ReadString('\n')
		line += part
		if err == nil {
			if hasAll(line, texts) {
				return strings.TrimSuffix(line, "\n"), nil
			}
			before, line = lastLines(before+line), ""
			continue
		}
		if !errors.Is(err, io.EOF) {
			return "", err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return "", fmt.Errorf("wait for %q in the log: %w; it ends in\n%s", texts, ctx.Err(), before)
		}
	}
}

// openLog waits until Exim has made its log.
func (e *Exim) openLog(ctx context.Context) (*os.File, error) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		f, err := os.Open(e.LogPath())
		if !errors.Is(err, os.ErrNotExist) {
			return f, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for the log: %w", ctx.Err())
		}
	}
}

func hasAll(line string, texts []string) bool {
	for _, t := range texts {
		if !strings.Contains(line, t) {
			return false
		}
	}
	return true
}

// lastLines cuts a text to a few of its last lines.
func lastLines(text string) string {
	const keep = 4 << 10
	if len(text) <= keep {
		return text
	}
	_, rest, _ := strings.Cut(text[len(text)-keep:], "\n")
	return rest
}
