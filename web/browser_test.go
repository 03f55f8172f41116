package web_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestBrowser drives every page in a real Chromium, against a real daemon that a real Exim asks.
func TestBrowser(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes a minute")
	}
	parent := startBrowser(t)
	w := newWorld(t)
	places, checker := w.places(), axe(t)
	t.Run("Metrics", func(t *testing.T) { testMetrics(t, w) })
	t.Run("Flow", func(t *testing.T) { testFlow(t, w, parent, true) })
	t.Run("FlowWithoutScripts", func(t *testing.T) { testFlow(t, w, parent, false) })
	t.Run("SecondFactor", func(t *testing.T) { testTOTP(t, w, parent) })
	t.Run("Passkey", func(t *testing.T) { testPasskey(t, w, parent) })
	t.Run("Roles", func(t *testing.T) { testRoles(t, w, parent, places) })
	t.Run("Pages", func(t *testing.T) { testPages(t, w, parent, places, checker) })
	t.Run("Others", func(t *testing.T) { testOthers(t, w, parent, checker) })
	if t.Failed() {
		t.Logf("the daemon says %v%v", w.logged.lines("level=WARN"), w.logged.lines("level=ERROR"))
	}
	for _, line := range w.logged.lines("csp") {
		t.Errorf("the pages' policy was broken: %s", line)
	}
}

// testMetrics reads what Prometheus would, from the same machine.
func testMetrics(t *testing.T, w *world) {
	answer, err := http.Get(w.base + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v", answer.Status, err)
	}
	for _, line := range []string{"osm_held_messages 4\n", `osm_build_info{version="test"} 1`, `osm_policy_questions_total 4` + "\n",
		`osm_verdicts_total{action="hold",rule="on-trial",way="acted"} 4`, `osm_log_up{log="` + w.exim.LogPath() + `"} 1`} {
		if !strings.Contains(string(text), line) {
			t.Errorf("there is no %q in\n%s", line, text)
		}
	}
}

// axe is the accessibility checker's script, fetched with the ordinary client; "" when it can't be had.
func axe(t *testing.T) string {
	t.Helper()
	npm, err := exec.LookPath("npm")
	if err != nil {
		t.Log("accessibility is not checked: npm, which fetches axe-core, is not installed")
		return ""
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	dir := t.TempDir()
	pack := exec.CommandContext(ctx, npm, "pack", "--silent", "--prefer-offline", "axe-core@4.10.3")
	pack.Dir = dir
	out, err := pack.CombinedOutput()
	if err == nil {
		out, err = exec.CommandContext(ctx, "tar", "-xzf", filepath.Join(dir, strings.TrimSpace(string(out))), "-C", dir).CombinedOutput()
	}
	text, missing := os.ReadFile(filepath.Join(dir, "package", "axe.min.js"))
	if err != nil || missing != nil {
		t.Logf("accessibility is not checked: axe-core can't be fetched: %v %s", err, out)
		return ""
	}
	return string(text)
}

// accessible fails with what axe finds, or with what only some of its rules do.
func (b *tab) accessible(script, where, only string) {
	b.Helper()
	if script == "" {
		return
	}
	if !eval[bool](b, "typeof window.axe === 'object'") {
		eval[bool](b, script+"; true")
	}
	found := eval[string](b, `axe.run({`+only+`preload: false, resultTypes: ["violations"]}).then(r => JSON.stringify(r.violations.map(v =>
		({id: v.id, help: v.help, nodes: v.nodes.slice(0, 3).map(n => n.html.slice(0, 200) + " " + (n.any[0] ? n.any[0].message : ""))}))))`)
	var violations []struct {
		ID, Help string
		Nodes    []string
	}
	if err := json.Unmarshal([]byte(found), &violations); err != nil {
		b.Fatal(err)
	}
	for _, v := range violations {
		b.Errorf("%s: axe: %s: %s\n\t%s", where, v.ID, v.Help, strings.Join(v.Nodes, "\n\t"))
	}
}
