package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"iter"
	"strings"

	"github.com/spf13/cobra"

	"osm/exim"
	"osm/tail"
)

func (p *program) parse() *cobra.Command {
	c := &cobra.Command{
		Use:   "parse LOG...",
		Short: "Print every line of logs as JSON: what osm understands of it",
		Long: "Writes one JSON object for each line, with at least time, kind and, if the line has one, the message id. Compressed\n" +
			"logs are read as they are, the files of one rotation in their order; - is the standard input.",
		Example: "  osm parse /var/log/exim4/mainlog | grep '\"kind\":\"unknown\"'",
		Args:    wants(1, 0, "name the logs to read, or - for the standard input"),
		RunE: func(c *cobra.Command, args []string) error {
			loaded, err := p.load()
			if err != nil {
				return err
			}
			zone, err := loaded.Exim.Location()
			if err != nil {
				return err
			}
			logs, err := tail.Read(args, tail.ReadOptions{Stdin: p.in})
			if err != nil {
				return err
			}
			lines := newLineReader(c.Context(), logs)
			defer lines.stop()
			out := bufio.NewWriterSize(p.out, 1<<20)
			_, err = exim.WriteNDJSON(out, lines, exim.Options{Zone: zone, Latest: p.now()})
			return errors.Join(err, out.Flush(), lines.damaged)
		},
	}
	p.configFlag(c)
	return c
}

// lineReader reads the text of logs one after the other. A damaged file ends early, and the next one goes on.
type lineReader struct {
	next    func() (tail.Chunk, error, bool)
	stop    func()
	chunk   tail.Chunk
	text    strings.Reader
	open    bool // the last byte was not a newline
	damaged error
}

func newLineReader(ctx context.Context, logs *tail.Reader) *lineReader {
	r := &lineReader{}
	r.next, r.stop = iter.Pull2(logs.Chunks(ctx))
	return r
}

// Read is that of an io.Reader. A file's last line gets its newline.
func (r *lineReader) Read(p []byte) (int, error) {
	for r.text.Len() == 0 {
		if err := r.advance(); err != nil {
			return 0, err
		}
	}
	return r.text.Read(p)
}

func (r *lineReader) advance() error {
	r.chunk.Release()
	chunk, err, more := r.next()
	if !more {
		return io.EOF
	}
	r.damaged = errors.Join(r.damaged, err)
	r.chunk = chunk
	text := chunk.Text
	if r.open && text != "" {
		text = "\n" + text
	}
	if chunk.Text != "" {
		r.open = !strings.HasSuffix(chunk.Text, "\n")
	}
	r.text.Reset(text)
	return nil
}
