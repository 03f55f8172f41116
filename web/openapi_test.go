package web

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write doc/openapi.json anew")

const openAPIFile = "../doc/openapi.json"

// TestGeneratedOpenAPI: the API's description in doc is that of the code. make doc writes it.
func TestGeneratedOpenAPI(t *testing.T) {
	p := newPlace(t, nil)
	text, err := p.server.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(openAPIFile, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	kept, err := os.ReadFile(openAPIFile)
	if err != nil || !bytes.Equal(kept, text) {
		t.Errorf("%s is not the API's description: run make doc (%v)", openAPIFile, err)
	}
}

// TestDescribed: every operation says what it does and what it takes, and the description has nothing besides.
func TestDescribed(t *testing.T) {
	p := newPlace(t, nil)
	text, err := p.server.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]struct {
			ID       string           `json:"operationId"`
			Summary  string           `json:"summary"`
			Right    Right            `json:"x-right"`
			Security []map[string]any `json:"security"`
		}
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	described := 0
	for _, r := range p.server.Routes() {
		if !strings.HasPrefix(r.Path, apiPath+"v1/") {
			continue
		}
		described++
		o := doc.Paths[r.Path][strings.ToLower(r.Method)]
		if o.ID == "" || o.Right != r.Need || !strings.HasSuffix(o.Summary, ".") && !strings.HasSuffix(o.Summary, ").") || len(o.Security) == 0 {
			t.Errorf("%s %s: %+v", r.Method, r.Path, o)
		}
	}
	for path, methods := range doc.Paths {
		described -= len(methods)
		if !strings.HasPrefix(path, apiPath+"v1/") {
			t.Errorf("%s is described", path)
		}
	}
	if described != 0 {
		t.Errorf("%d operations more than are described", described)
	}
}
