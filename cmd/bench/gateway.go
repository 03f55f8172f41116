package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// figures are what one benchmark has measured, by unit.
type figures map[string]float64

// benchmarks are those of a room, built once. Each run is a process of its own.
type benchmarks struct{ program, dir string }

func (b *bench) benchmarks(ctx context.Context, room string) (benchmarks, error) {
	program := filepath.Join(b.dir, room+".test")
	build := exec.CommandContext(ctx, "go", "test", "-c", "-o", program, "./"+room)
	build.Stderr = os.Stderr
	return benchmarks{program, room}, build.Run()
}

// run measures one of them over n rounds, or for a time such as 1s.
func (m benchmarks) run(ctx context.Context, name, n string) (figures, error) {
	c := exec.CommandContext(ctx, m.program, "-test.run", "^$", "-test.bench", "^Benchmark"+name+"$", "-test.benchtime", n)
	c.Dir = m.dir
	out, err := c.CombinedOutput()
	for line := range bytes.Lines(out) {
		fields := strings.Fields(string(line))
		if len(fields) < 4 || !strings.HasPrefix(fields[0], "Benchmark"+name) {
			continue
		}
		got := figures{}
		for i := 2; i+1 < len(fields); i += 2 {
			if got[fields[i+1]], err = strconv.ParseFloat(fields[i], 64); err != nil {
				return nil, fmt.Errorf("%s said %q: %w", name, line, err)
			}
		}
		return got, nil
	}
	return nil, fmt.Errorf("%s has measured nothing: %w\n%s", name, err, out)
}

// gateway compares messages through the gateway with the sink's own rate, both by go-smtp's client over 16 connections that
// stay open, and with a plain relay of go-smtp; and tells what 10,000 silent connections and a verdict from memory take.
func (b *bench) gateway(ctx context.Context) error {
	room, err := b.benchmarks(ctx, "gateway")
	if err != nil {
		return err
	}
	const processor = "cpu-us/message"
	names := []string{"Sink", "Gateway", "Relay"}
	took := map[string]map[string][]float64{}
	for round := range b.rounds {
		for i := range names {
			name := names[(i+round)%len(names)]
			got, err := room.run(ctx, name, "20000x")
			if err != nil {
				return err
			}
			if took[name] == nil {
				took[name] = map[string][]float64{}
			}
			for unit, figure := range got {
				took[name][unit] = append(took[name][unit], figure)
			}
		}
	}
	rate := func(name string) []float64 { return took[name]["messages/s"] }
	than := fmt.Sprintf("the sink alone %.0f/s", median(rate("Sink")))
	for _, r := range []row{{what: "through the gateway, 16 connections", measured: "Gateway", bar: "0.65, 0.8 hoped for"}, {what: "through a plain go-smtp relay", measured: "Relay"}} {
		name := r.measured
		r.measured, r.than = fmt.Sprintf("%.0f/s", median(rate(name))), than
		r.ratio = fmt.Sprintf("%.2f", median(ratios(rate(name), rate("Sink"))))
		b.table.add(r)
	}
	b.table.add(row{what: "processor time of a message, with its clients and the sink", measured: fmt.Sprintf("%.0f us", median(took["Gateway"][processor])),
		than:  fmt.Sprintf("the sink and its clients %.0f us", median(took["Sink"][processor])),
		ratio: fmt.Sprintf("%.2f", median(ratios(took["Sink"][processor], took["Gateway"][processor])))})
	wait := func(name string) string {
		return fmt.Sprintf("p50 %.0f us, p99 %.0f us", median(took[name]["p50-us"]), median(took[name]["p99-us"]))
	}
	added := func(unit string) float64 { return median(took["Gateway"][unit]) - median(took["Sink"][unit]) }
	b.table.add(row{what: "wait for a message, 16 at once", measured: wait("Gateway"), than: "the sink alone " + wait("Sink"),
		ratio: fmt.Sprintf("+%.0f, +%.0f us", added("p50-us"), added("p99-us"))})
	one, err := b.alone(ctx, room)
	if err != nil {
		return err
	}
	b.table.add(one)
	return b.small(ctx, room)
}

// alone is what the gateway adds for a client that has the machine for itself.
func (b *bench) alone(ctx context.Context, room benchmarks) (row, error) {
	var p50, p99 [2]float64
	for i, name := range []string{"SinkAlone", "GatewayAlone"} {
		got, err := room.run(ctx, name, "3000x")
		if err != nil {
			return row{}, err
		}
		p50[i], p99[i] = got["p50-us"], got["p99-us"]
	}
	return row{what: "wait for a message, one at a time", measured: fmt.Sprintf("p50 %.0f us, p99 %.0f us", p50[1], p99[1]),
		than: fmt.Sprintf("the sink alone p50 %.0f us, p99 %.0f us", p50[0], p99[0]), ratio: fmt.Sprintf("+%.0f, +%.0f us", p50[1]-p50[0], p99[1]-p99[0])}, nil
}

// small are the figures that need no comparison.
func (b *bench) small(ctx context.Context, room benchmarks) error {
	idle, err := room.run(ctx, "Idle", "1x")
	if err != nil {
		return err
	}
	b.table.add(row{what: "10,000 idle connections to the gateway", measured: fmt.Sprintf("%.0f MB, %.1f KB each", idle["MB"], idle["B/connection"]/1024), bar: "300 MB"})
	checks, err := b.benchmarks(ctx, "check")
	if err != nil {
		return err
	}
	listed, err := checks.run(ctx, "ListedFromMemory", "1s")
	if err != nil {
		return err
	}
	b.table.add(row{what: "verdict of three DNSBLs from memory", measured: fmt.Sprintf("%.2f us", listed["ns/op"]/1000), bar: "5 us"})
	return nil
}
