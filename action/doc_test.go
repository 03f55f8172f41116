package action

import (
	"encoding/json"
	"os"
	"os/exec"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"text/template"

	"osm/incident"
)

func block(t *testing.T, language string) string {
	t.Helper()
	text, err := os.ReadFile("../doc/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```" + language + "\n(.*?)\n *```").FindSubmatch(text)
	if found == nil {
		t.Fatalf("doc/alerts.md has no %s", language)
	}
	return string(found[1])
}

// TestPageShowsAnAlert: the JSON on the page has an alert's names, all of an incident's, and no others.
func TestPageShowsAnAlert(t *testing.T) {
	shown := json.NewDecoder(strings.NewReader(block(t, "json")))
	shown.DisallowUnknownFields()
	var a Alert
	if err := shown.Decode(&a); err != nil || len(a.Incidents) != 1 {
		t.Fatalf("%v: %+v", err, a)
	}
	for f := range reflect.TypeFor[incident.Incident]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "closed" && !strings.Contains(block(t, "json"), `"`+name+`":`) {
			t.Errorf("the page does not show %s", name)
		}
	}
}

// TestPageChecksASignature runs the page's Python on a signature of ours.
func TestPageChecksASignature(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3")
	}
	code := regexp.MustCompile(`(?m)^  `).ReplaceAllString(block(t, "python"), "")
	body := `{"id":"A1"}`
	code += "\nimport sys\nprint(genuine('key', sys.argv[1], b'" + body + "', 10**9), genuine('key', sys.argv[1], b'x', 10**9), " +
		"genuine('other', sys.argv[1], b'" + body + "', 10**9), genuine('key', sys.argv[1], b'" + body + "', -1))\n"
	out, err := exec.Command(python, "-c", code, Sign("key", noon, []byte(body))).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "True False False False" {
		t.Errorf("%v: %s", err, out)
	}
}

// TestPageNamesEveryField of a notice, and shows a template that works.
func TestPageNamesEveryField(t *testing.T) {
	text, err := os.ReadFile("../doc/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	for f := range reflect.TypeFor[notice]().Fields() {
		if !strings.Contains(string(text), "`."+f.Name+"`") {
			t.Errorf("the page does not explain .%s", f.Name)
		}
	}
	shown, err := template.New("page").Parse(block(t, "text"))
	if err != nil {
		t.Fatal(err)
	}
	if subject, _, err := fill(shown, "mx.example", turned("I1", incident.Open)); err != nil || !strings.Contains(subject, "bob") {
		t.Errorf("%q, %v", subject, err)
	}
}
