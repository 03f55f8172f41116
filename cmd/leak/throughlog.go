package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
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
	missing, misread := 0, map[string]int{}
	s := judgeWorld(w, learned, func(ev *sim.Event) osm.Action {
		if ev.Kind != sim.Arrival {
			return osm.Accept
		}
		said, ok := verdicts[ev.Message.ID]
		if !ok {
			missing++
			return osm.Accept
		}
		said.compare(ev, misread)
		ev.Message.Verdict = said.verdict
		return said.verdict.Action
	}, true)
	if missing > 0 {
		return nil, fmt.Errorf("world %d: the program said nothing about %d messages of its log", w.Config.Seed, missing)
	}
	s.misread = misread
	return s, nil
}

// said is what the program says of one message.
type said struct {
	ID, Class, Login, Sender, Client, Script string
	Action, Rule, Reason, Detail             string
	Recipients                               int
	verdict                                  osm.Verdict
}

// compare counts what the program understood otherwise than the world meant it.
func (s *said) compare(ev *sim.Event, misread map[string]int) {
	m, client := ev.Message, ""
	if m.Client.IsValid() {
		client = m.Client.String()
	}
	for _, c := range []struct{ name, want, got string }{
		{"class", m.Class.String(), s.Class},
		{"login", m.Login, s.Login},
		{"sender", m.Sender, s.Sender},
		{"client", client, s.Client},
		{"script", m.Script.Path, s.Script},
		{"recipients", strconv.Itoa(len(m.Recipients)), strconv.Itoa(s.Recipients)},
	} {
		switch {
		case c.want == c.got:
		case c.name == "class":
			misread["class "+c.want+" read as "+c.got]++
		default:
			misread[c.name]++
		}
	}
}

// ask runs osm replay and collects what it says of every message.
func ask(o options, path string) (map[string]*said, error) {
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
	verdicts := map[string]*said{}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		one := &said{}
		if err = json.Unmarshal(lines.Bytes(), one); err != nil {
			break
		}
		if one.verdict.Action, err = osm.ParseAction(one.Action); err != nil {
			break
		}
		one.verdict.Rule, one.verdict.Reason, one.verdict.Detail = one.Rule, one.Reason, one.Detail
		verdicts[one.ID] = one
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
