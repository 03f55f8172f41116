package store

import (
	"bufio"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"osm"
)

// exactlyOnce wants every message up to the saved position to be there once, with its deliveries, its sums and its lines.
func exactlyOnce(t *testing.T, cfg Config) int64 {
	t.Helper()
	s := openTest(t, cfg, noon)
	defer s.Close()
	positions, err := s.Positions()
	if err != nil {
		t.Fatal(err)
	}
	var offset int64
	for _, p := range positions {
		offset = p.Offset
	}
	page, err := s.Search(t.Context(), Filter{Limit: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(page.Messages)) != offset {
		t.Fatalf("%d messages at position %d", len(page.Messages), offset)
	}
	report, err := s.Report(t.Context(), ReportQuery{Since: noon, Until: noon.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if report.Total.Messages != offset || report.Total.Deferred != 2*offset {
		t.Fatalf("sums of %d messages with %d attempts at position %d", report.Total.Messages, report.Total.Deferred, offset)
	}
	for i, m := range page.Messages {
		if want := fmt.Sprintf("Offer %d", int(offset)-1-i); m.Subject != want || m.Deferred != 2 {
			t.Fatalf("message %d is %q with %d attempts, want %q", i, m.Subject, m.Deferred, want)
		}
		if i%97 == 0 {
			if found := trace(t, s, m.ID); len(found.Lines) != 3 || len(found.Deliveries) != 2 {
				t.Fatalf("%s has %d lines and %d deliveries", m.ID, len(found.Lines), len(found.Deliveries))
			}
		}
	}
	return offset
}

// count writes numbered messages, each with two attempts and in a flush of its own.
func count(s *Store, from, n int64) error {
	for ; n > 0; n-- {
		m := example(int(from), noon)
		s.Line(noon, m.ID+" <= bob")
		s.Arrival(m)
		for range 2 {
			s.Line(noon, m.ID+" == ann")
			s.Delivery(m, attempt(m, "ann@far.example", noon, osm.Deferred))
		}
		from++
		if err := s.Flush(noon, []osm.Position{{Path: "log", Offset: from}}); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(t *testing.T, from, to string, limit int64) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if _, err := io.Copy(out, io.LimitReader(in, limit)); err != nil {
		t.Fatal(err)
	}
}

// A power failure leaves the WAL cut off anywhere: what comes back is a whole number of flushes.
func TestCutOffLog(t *testing.T) {
	cfg := testConfig(t)
	s := openTest(t, cfg, noon)
	if err := count(s, 0, 60); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(cfg.Path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	dice := rand.New(rand.NewPCG(7, 7))
	seen := map[int64]bool{}
	for range 20 {
		cut := cfg
		cut.Path = filepath.Join(t.TempDir(), "osm.db")
		copyFile(t, cfg.Path, cut.Path, info.Size()+1<<30)
		copyFile(t, cfg.Path+"-wal", cut.Path+"-wal", dice.Int64N(info.Size()))
		seen[exactlyOnce(t, cut)] = true
	}
	if len(seen) < 5 {
		t.Errorf("the cuts left only %d different states", len(seen))
	}
}

// TestHelperWriter is the process that TestKilledWriter kills.
func TestHelperWriter(t *testing.T) {
	path := os.Getenv("OSM_STORE_TO_KILL")
	if path == "" {
		t.Skip("it is the other half of TestKilledWriter")
	}
	cfg := DefaultConfig()
	cfg.Path = path
	s, err := Open(cfg, noon, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	positions, err := s.Positions()
	if err != nil {
		t.Fatal(err)
	}
	var from int64
	if len(positions) > 0 {
		from = positions[0].Offset
	}
	for {
		if err := count(s, from, 1); err != nil {
			t.Fatal(err)
		}
		from++
		fmt.Println(from)
	}
}

// A writer killed at any moment has lost nothing that it said it had saved, and doubled nothing.
func TestKilledWriter(t *testing.T) {
	cfg := testConfig(t)
	dice := rand.New(rand.NewPCG(8, 8))
	for range 8 {
		writer := exec.Command(os.Args[0], "-test.run=^TestHelperWriter$")
		writer.Env = append(os.Environ(), "OSM_STORE_TO_KILL="+cfg.Path)
		out, err := writer.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := writer.Start(); err != nil {
			t.Fatal(err)
		}
		said := bufio.NewScanner(out)
		for range 1 + dice.IntN(20) {
			if !said.Scan() {
				t.Fatalf("the writer ended by itself: %v", said.Err())
			}
		}
		if err := writer.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		saved := said.Text()
		for said.Scan() {
			saved = said.Text()
		}
		_ = writer.Wait() // it was killed
		n, err := strconv.ParseInt(saved, 10, 64)
		if err != nil {
			t.Fatalf("the writer said %q", saved)
		}
		if after := exactlyOnce(t, cfg); after < n {
			t.Fatalf("%d messages are there, %d were saved", after, n)
		}
	}
}
