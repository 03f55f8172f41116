package gateway_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
)

// idleEnv tells the test's own program, started once more, to be the clients: their memory is not the gateway's.
const idleEnv = "OSM_GATEWAY_IDLE"

// TestMain is the clients of BenchmarkIdle where it is asked to be.
func TestMain(m *testing.M) {
	if addr := os.Getenv(idleEnv); addr != "" {
		holdConnections(addr)
		return
	}
	os.Exit(m.Run())
}

const idleConnections = 10_000

// holdConnections opens them, has said EHLO on each, tells so, and waits for the end of its input. One address has not
// enough ports: they come from several.
func holdConnections(addr string) {
	conns := make([]net.Conn, idleConnections)
	for i := range conns {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 1, byte(1+i%10))}}
		conn, err := d.Dial("tcp", addr)
		if err != nil {
			fmt.Println(err)
			return
		}
		conns[i] = conn
		in := bufio.NewReader(conn)
		for _, say := range []string{"", "EHLO client.example\r\n"} {
			if _, err := conn.Write([]byte(say)); err != nil {
				fmt.Println(err)
				return
			}
			for {
				line, err := in.ReadString('\n')
				if err != nil || line[0] != '2' {
					fmt.Println(line, err)
					return
				}
				if line[3] == ' ' {
					break
				}
			}
		}
	}
	fmt.Println("ready")
	bufio.NewReader(os.Stdin).ReadString('\n')
}

// BenchmarkIdle is the memory that 10,000 connections take which have said EHLO and are silent: of the whole process, and of
// the kernel's sockets nothing.
func BenchmarkIdle(b *testing.B) {
	cfg := settings(plainSink(b))
	cfg.Limit.Connections = 2 * idleConnections
	f := newFront(b, cfg, nil)
	debug.FreeOSMemory()
	before := resident(b)
	for b.Loop() {
		clients := exec.CommandContext(b.Context(), os.Args[0])
		clients.Env = append(os.Environ(), idleEnv+"="+f.addr)
		end, err := clients.StdinPipe()
		if err != nil {
			b.Fatal(err)
		}
		said, err := clients.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		if err := clients.Start(); err != nil {
			b.Fatal(err)
		}
		if line, err := bufio.NewReader(said).ReadString('\n'); line != "ready\n" {
			b.Fatalf("the clients said %q, %v", line, err)
		}
		b.ReportMetric(float64(resident(b))/(1<<20), "MB")
		b.ReportMetric(float64(resident(b)-before)/idleConnections, "B/connection")
		end.Close()
		if err := clients.Wait(); err != nil {
			b.Fatal(err)
		}
	}
}

// resident is this process's memory, proc(5).
func resident(b *testing.B) int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Skip(err)
	}
	for line := range bytes.Lines(text) {
		if rest, ok := strings.CutPrefix(string(line), "VmRSS:"); ok {
			n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				b.Fatal(err)
			}
			return n << 10
		}
	}
	b.Fatal("no VmRSS")
	return 0
}
