package config

import (
	"bytes"
	"errors"
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"osm"
	"osm/exim"
)

// sample has one setting of every kind that a room may have.
type sample struct {
	Exim   exim.Config  `toml:"exim" doc:"A room."`
	Detect sampleDetect `toml:"detect" doc:"Another one."`
}

type sampleDetect struct {
	Window  osm.Duration          `toml:"window" doc:"A time span."`
	Memory  osm.Size              `toml:"memory" doc:"A size."`
	Score   float64               `toml:"score" doc:"A number."`
	Limit   uint16                `toml:"limit" doc:"A whole number."`
	Shadow  bool                  `toml:"shadow" doc:"Yes or no."`
	Key     osm.Secret            `toml:"key" doc:"A password."`
	Names   []string              `toml:"names" doc:"A list."`
	Weights map[string]float64    `toml:"weights" doc:"Numbers by name."`
	Plans   map[string]samplePlan `toml:"plan" doc:"Tables by name."`
	Rules   []sampleRule          `toml:"rule" doc:"A list of tables."`
	Nothing chan int              // not a setting
}

type samplePlan struct {
	Hourly int `toml:"hourly" doc:"A number in a table in a table."`
}

type sampleRule struct {
	Name  string       `toml:"name" doc:"A text in a list of tables."`
	Every osm.Duration `toml:"every" doc:"A time span in a list of tables."`
}

func (d *sampleDetect) Check(report func(key, problem string)) {
	if d.Window < osm.Duration(60e9) {
		report("window", "must be between 1m and 168h")
	}
	for i, r := range d.Rules {
		if r.Name == "" {
			report(element("rule", i)+".name", "must not be empty")
		}
	}
	for name, plan := range d.Plans {
		if plan.Hourly == 0 {
			report(join("plan", name)+".hourly", "must be at least 1")
		}
	}
	if d.Key == "weak" {
		report("key", "must not be guessable")
	}
}

func sampleDefaults() sample {
	return sample{Detect: sampleDetect{Window: osm.Duration(300e9), Memory: 64 << 20, Score: 2.5, Limit: 7,
		Names: []string{"a", "b"}}}
}

func parseSample(sources ...Source) (sample, Mistakes) {
	s := sampleDefaults()
	var files []string
	for _, f := range sources {
		files = append(files, f.Name)
	}
	m := newReader().parse(sources, reflect.ValueOf(&s).Elem())
	return s, m.sorted(files)
}

// TestMistakes reads testdata/mistakes: in each file the lines that begin with "#!" are the mistakes that must be
// reported for it, in that order and no others.
func TestMistakes(t *testing.T) {
	files, err := filepath.Glob("testdata/mistakes/*.toml")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files in testdata/mistakes, %v", len(files), err)
	}
	for _, name := range files {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".toml"), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for line := range strings.Lines(string(text)) {
				if m, ok := strings.CutPrefix(line, "#! "); ok {
					want = append(want, strings.TrimSpace(m))
				}
			}
			_, mistakes := parseSample(Source{Name: "osm.toml", Text: text})
			var got []string
			for _, m := range mistakes {
				got = append(got, m.String())
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error("mistakes (-want +got):\n" + diff)
			}
		})
	}
}

func TestEverythingCanBeSet(t *testing.T) {
	main := Source{Name: "osm.toml", Text: []byte(`
exim.log = "/x/mainlog"
[detect]
window = "2h"
memory = 4096
score = 3
limit = 9
shadow = true
key = "hunter2"
names = ["c"]
weights = { new = 1, "old one" = -0.5 }
[[detect.rule]]
name = "first"
[detect.plan.gold]
hourly = 10
`)}
	rules := Source{Name: "rules.d/a.toml", Text: []byte("[[detect.rule]]\nname = \"second\"\nevery = \"1d\"\n[detect.plan.silver]\nhourly = 5\n")}
	got, mistakes := parseSample(main, rules)
	if mistakes != nil {
		t.Fatal(mistakes)
	}
	want := sample{Exim: exim.Config{Log: "/x/mainlog"}, Detect: sampleDetect{
		Window: osm.Duration(7200e9), Memory: 4096, Score: 3, Limit: 9, Shadow: true, Key: "hunter2", Names: []string{"c"},
		Weights: map[string]float64{"new": 1, "old one": -0.5},
		Plans:   map[string]samplePlan{"gold": {10}, "silver": {5}},
		Rules:   []sampleRule{{Name: "first"}, {Name: "second", Every: osm.Duration(86400e9)}},
	}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %#v\nwant %#v", got, want)
	}
}

func TestMistakesAcrossFiles(t *testing.T) {
	_, mistakes := parseSample(
		Source{Name: "osm.toml", Text: []byte("detect.window = \"5s\"\n[[detect.rule]]\nname = \"one\"\n")},
		Source{Name: "rules.d/a.toml", Text: []byte("[detect]\nwindow = \"6s\"\n\n[[detect.rule]]\nevery = \"1h\"\n")},
		Source{Name: "rules.d/b.toml", Text: []byte("detect = 1\n")})
	want := `osm.toml:1:8: detect.window = 5s: must be between 1m and 168h
rules.d/a.toml:2:1: detect.window: is set already in osm.toml:1
rules.d/a.toml:4:10: detect.rule[1].name: must not be empty
rules.d/b.toml:1:1: detect: is set already in osm.toml:1`
	if got := mistakes.Error(); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestLoadFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if _, err := Load(filepath.Join(dir, "absent.toml")); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a named file that is missing: %v", err)
	} else if _, ok := errors.AsType[Mistakes](err); !ok {
		t.Errorf("%T is no configuration error", err)
	}
	path := write("osm.toml", "")
	empty, err := Load(path)
	if err != nil || !reflect.DeepEqual(empty.Config, Defaults()) {
		t.Errorf("an empty file: %v; want the defaults", err)
	}
	extra := write("rules.d/10-log.toml", "[exim]\nlog = \"/x/mainlog\"\n")
	write("rules.d/README", "not TOML at all [")
	loaded, err := Load(path)
	if err != nil || loaded.Exim.Log != "/x/mainlog" || !reflect.DeepEqual(loaded.Files, []string{path, extra}) {
		t.Errorf("with rules.d: %+v, %v", loaded, err)
	}
	about := loaded.Explain("exim.log")
	if len(about) != 1 || about[0].Value != `"/x/mainlog"` || about[0].Where != extra+":2" || about[0].Default != `""` {
		t.Errorf("Explain = %+v", about)
	}
	if all := loaded.Explain("exim"); len(all) < 3 {
		t.Errorf("Explain of a table = %+v", all)
	}
	if none := loaded.Explain("exim.lo"); none != nil || Nearest("exim.lo") != "exim.log" {
		t.Errorf("Explain of an unknown key = %+v, nearest %q", none, Nearest("exim.lo"))
	}
}

func TestNoFileIsNeeded(t *testing.T) {
	if _, err := os.Stat(DefaultPath); !errors.Is(err, fs.ErrNotExist) {
		t.Skip("this machine has a " + DefaultPath)
	}
	loaded, err := Load("")
	if err != nil || len(loaded.Files) != 0 {
		t.Errorf("Load without a file: %+v, %v", loaded, err)
	}
}

// TestDefaultsText reads the file of defaults back, as it is and with every setting in force: both change nothing.
func TestDefaultsText(t *testing.T) {
	var text bytes.Buffer
	if err := WriteDefaults(&text); err != nil {
		t.Fatal(err)
	}
	in := inForce(text.String())
	if in == text.String() {
		t.Fatal("nothing is commented out:\n" + in)
	}
	for _, s := range []string{text.String(), in} {
		loaded, err := Parse(Source{Name: "defaults", Text: []byte(s)})
		if err != nil {
			t.Fatalf("%v\nin:\n%s", err, s)
		}
		if diff := cmp.Diff(Defaults(), loaded.Config); diff != "" {
			t.Error("the defaults file is not the defaults (-want +got):\n" + diff)
		}
	}
}

// inForce takes the comment signs off the settings of tables that are there.
func inForce(text string) string {
	var b strings.Builder
	there := true
	for line := range strings.Lines(text) {
		if header := strings.TrimPrefix(line, "#"); strings.HasPrefix(header, "[") {
			there = header == line
		}
		if setting := regexp.MustCompile(`^#([a-z_]+ = .*\n)$`).FindStringSubmatch(line); there && setting != nil {
			line = setting[1]
		}
		b.WriteString(line)
	}
	return b.String()
}

func TestEverySettingIsDocumented(t *testing.T) {
	for _, s := range Settings() {
		if !strings.HasSuffix(s.Doc, ".") {
			t.Errorf("%s: doc %q is no sentence", s.Key, s.Doc)
		}
		if s.Header == "" && s.Default == "" {
			t.Errorf("%s (%s) has no default that can be written", s.Key, s.Type)
		}
	}
}

func TestGeneratedPage(t *testing.T) {
	var page bytes.Buffer
	if err := WriteReference(&page); err != nil {
		t.Fatal(err)
	}
	golden(t, "../doc/config.md", page.Bytes())
}

func TestGeneratedSample(t *testing.T) {
	defaults := sampleDefaults()
	defaults.Detect.Key = "hunter2"
	var text bytes.Buffer
	if err := writeDefaults(&text, describe(nil, reflect.ValueOf(&defaults).Elem(), "")); err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/sample.toml", text.Bytes())
}

var update = flag.Bool("update", false, "write the expected files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got); \"make doc\" writes it anew:\n%s", name, diff)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("[[detect.rule]]\nname = \"x\"\n[detect.plan.\"a.b\"]\nhourly = 3\n"), []byte("detect.rule = [{name = \"y\"}]\n"))
	f.Add([]byte("a.b.c = [[{d.e = 1}]]\n[a]\n"), []byte("[[a]]\n[a.b]\n[[a.b]]"))
	f.Fuzz(func(t *testing.T, one, two []byte) {
		_, mistakes := parseSample(Source{Name: "1", Text: one}, Source{Name: "2", Text: two})
		for _, m := range mistakes {
			if m.File == "" || m.Problem == "" || strings.ContainsAny(m.String(), "\n\x1b") {
				t.Errorf("mistake %q", m)
			}
		}
	})
}
