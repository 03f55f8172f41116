package web

import (
	"io/fs"
	"path"
	"strings"
	"testing"
	"time"
)

// Templates are read when they are wanted: a mistake in one must not wait for that.
func TestAllTemplatesCanBeRead(t *testing.T) {
	p, err := newPages("", time.Now, time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d templates, %v", len(files), err)
	}
	for _, say := range p.speeches {
		for _, file := range files {
			name := strings.TrimSuffix(path.Base(file), ".html")
			if _, err := p.template(say, name); err != nil {
				t.Error(err)
			}
		}
	}
}
