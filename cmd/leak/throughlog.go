package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"osm"
	"osm/sim"
)

// judgeLog writes a world as a log, asks the program what it would have done, and counts its answers by message id. So
// it measures reading, tying together and attribution as well. The program has no learning period here: it decides
// from the first line, and only what it decided after the period is counted.
func judgeLog(o options, w *sim.World, learned time.Time) (*score, error) {
	dir, err := os.MkdirTemp("", "leak")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "mainlog")
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := w.WriteLog(f, nil); err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	verdicts, err := ask(o, path)
	if err != nil {
		return nil, err
	}
	missing := 0
	s := judgeWorld(w, learned, func(ev *sim.Event) osm.Action {
		if ev.Kind != sim.Arrival {
			return osm.Accept
		}
		v, ok := verdicts[ev.Message.ID]
		if !ok {
			missing++
		}
		ev.Message.Verdict = v
		return v.Action
	}, true)
	if missing > 0 {
		return nil, fmt.Errorf("world %d: the program said nothing about %d messages of its log", w.Config.Seed, missing)
	}
	return s, nil
}

// ask runs osm replay and collects what it says of every message.
func ask(o options, path string) (map[string]osm.Verdict, error) {
	args := []string{"replay", "--json"}
	if o.osmSettings != "" {
		args = append(args, "-c", o.osmSettings)
	}
	cmd := exec.Command(o.binary, append(args, path)...)
	cmd.Env = append(os.Environ(), "TZ=UTC")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	verdicts := map[string]osm.Verdict{}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var said struct{ ID, Action, Rule, Reason, Detail string }
		if err = json.Unmarshal(lines.Bytes(), &said); err != nil {
			break
		}
		var v osm.Verdict
		if v.Action, err = osm.ParseAction(said.Action); err != nil {
			break
		}
		v.Rule, v.Reason, v.Detail = said.Rule, said.Reason, said.Detail
		verdicts[said.ID] = v
	}
	if err == nil {
		err = lines.Err()
	}
	if err != nil {
		cmd.Process.Kill()
		cmd.Wait()
		return nil, fmt.Errorf("read what %s replay --json says: %w", o.binary, err)
	}
	if err := cmd.Wait(); err != nil {
		return nil, fmt.Errorf("%s replay --json %s: %w", o.binary, path, err)
	}
	return verdicts, nil
}
