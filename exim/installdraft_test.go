package exim

import (
	"strings"
	"testing"
)

// TestBlocks puts blocks into texts of every kind and takes them out again.
func TestBlocks(t *testing.T) {
	for _, before := range []string{"", "\n", "a\n", "a", "a\n\n", "begin acl\n", " begin routers \nx:\n", "acl_smtp_data = mine\nbegin acl\nacl_smtp_data:\n"} {
		for name, after := range map[string]string{
			"append":  appendBlock(before, "one\ntwo\n"),
			"section": intoSection(before, "routers", "r:\n"),
			"twice":   appendBlock(appendBlock(before, "one\n"), "two\n"),
			"mark":    atMark(before, "begin acl", "x\n"),
		} {
			if after == before || strip(after) != before {
				t.Errorf("%s: %q became %q, and then %q", name, before, after, strip(after))
			}
		}
	}
}

func TestDraft(t *testing.T) {
	d := &draft{root: t.TempDir()}
	if err := replaceFile(d.root+"/conf", []byte("  acl_smtp_data = mine\nmore\n")); err != nil {
		t.Fatal(err)
	}
	was, err := replaceSetting(d, []string{"/none", "/conf"}, "acl_smtp_data", "osm_check_data")
	if err != nil || was != "mine" {
		t.Fatalf("%q, %v", was, err)
	}
	if err := d.check(); err != nil {
		t.Error(err)
	}
	diff := d.changes[0].Diff()
	for _, want := range []string{"--- /conf\n", "\n-  acl_smtp_data = mine\n", "\n+acl_smtp_data = osm_check_data\n"} {
		if !strings.Contains(diff, want) {
			t.Errorf("%q is not in %q", want, diff)
		}
	}
	if strings.Contains(diff, "more") {
		t.Errorf("what stays is in %q", diff)
	}
	// Somebody's line that looks like ours would be lost at the end.
	for _, text := range []string{blockBegin + "\nmine\n", blockWas + "x\n" + blockBegin + "\n"} {
		odd := &draft{root: t.TempDir(), changes: []Change{{Path: "/x", Before: []byte(text), After: []byte(appendBlock(text, "y\n"))}}}
		if odd.check() == nil {
			t.Errorf("%q can't be undone, and is taken", text)
		}
	}
}

func TestSnippetsRefuse(t *testing.T) {
	for name, s := range map[string]Snippets{
		"way":    {Way: "guess", EximUID: 1},
		"socket": {Socket: "/run/osm/${run{x}}", EximUID: 1},
		"up":     {Socket: "/run/../x", EximUID: 1},
		"point":  {At: []Point{"data", "breakfast"}, EximUID: 1},
		"strict": {At: []Point{AtRcpt, AtData}, Strict: true, EximUID: 1},
		"uid":    {},
	} {
		if ready, err := s.Ready(); err == nil {
			t.Errorf("%s: %+v", name, ready)
		}
	}
}
