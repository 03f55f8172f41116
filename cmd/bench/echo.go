package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"time"
)

// verdict is what the bare server says to everything, and what osm says to mail that it accepts.
const verdict = "action=DUNNO\n\n"

// serveEcho is the least that a policy server can do: it reads to the empty line and answers, without looking.
func serveEcho(ctx context.Context, socket string) error {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() { l.Close() })()
	if err := os.Chmod(socket, 0o666); err != nil {
		return err
	}
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		go func() {
			defer conn.Close()
			buf, n := make([]byte, 8<<10), 0
			for {
				got, err := conn.Read(buf[n:])
				if err != nil {
					return
				}
				if n += got; n >= 2 && buf[n-1] == '\n' && buf[n-2] == '\n' {
					n = 0
					if _, err := conn.Write([]byte(verdict)); err != nil {
						return
					}
				}
			}
		}()
	}
}

// startEcho runs the bare server as a process of its own, as osm is one.
func startEcho(ctx context.Context, socket string) (stop func() error, err error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	c := exec.CommandContext(ctx, self, "-echo", socket)
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		return nil, err
	}
	stop = func() error {
		return errors.Join(c.Process.Signal(os.Interrupt), c.Wait())
	}
	if err := answers(ctx, "unix", socket); err != nil {
		return nil, errors.Join(err, stop())
	}
	return stop, nil
}

// answers waits until somebody listens on a socket.
func answers(ctx context.Context, network, address string) error {
	for tries := 0; ; tries++ {
		conn, err := net.Dial(network, address)
		if err == nil {
			return conn.Close()
		}
		if tries > 1500 {
			return fmt.Errorf("nobody answers: %w", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}
