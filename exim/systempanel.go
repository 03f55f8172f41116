package exim

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// panelACLs is where ACLs in files go on servers whose panel writes /etc/exim.conf.
const panelACLs = "/etc/exim-osm"

const (
	cpanelBlocks = "/usr/local/cpanel/etc/exim/acls/"
	cpanelOpts   = "/etc/exim.conf.localopts"
	cpanelLocal  = "/etc/exim.conf.local"
)

// planCPanel adds to the custom_begin file of each block and switches it on, as the Exim Configuration Manager does; the
// rewriting way has its sections in exim.conf.local. buildeximconf makes the configuration of them.
func planCPanel(d *draft, s Snippets) error {
	if s.Way == ByRewrite {
		text, _, err := d.read(cpanelLocal)
		if err != nil {
			return err
		}
		text = atMark(text, "@REWRITE@", s.RewriteRule())
		text = atMark(text, "@ROUTERSTART@", s.Router())
		text = atMark(text, "@RETRYSTART@", s.RetryRule())
		return d.write(cpanelLocal, text)
	}
	s.folder = panelACLs
	if err := createFiles(d, s, nil); err != nil {
		return err
	}
	var settings strings.Builder
	options, _, err := d.read(cpanelOpts)
	if err != nil {
		return err
	}
	for _, p := range s.askedPoints() {
		file := "custom_begin_" + strings.ToLower(p.cpanel)
		if err := d.add(cpanelBlocks+"ACL_"+p.cpanel+"_BLOCK/"+file, s.Hook(p.point)); err != nil {
			return err
		}
		setting := "acl_" + file + "="
		old := regexp.MustCompile(`(?m)^` + setting + `.*\n`).FindStringIndex(options)
		switch {
		case old == nil:
			settings.WriteString(setting + "1\n")
		case options[old[0]:old[1]] != setting+"1\n":
			options = options[:old[0]] + block(blockWas+options[old[0]:old[1]]+setting+"1\n") + options[old[1]:]
		}
	}
	if settings.Len() > 0 {
		options = appendBlock(options, settings.String())
	}
	return d.write(cpanelOpts, options)
}

// atMark puts a block after a mark of exim.conf.local's, which may be missing.
func atMark(text, mark, content string) string {
	if at := strings.Index("\n"+text, "\n"+mark+"\n"); at >= 0 {
		at += len(mark) + 1
		return text[:at] + block(content) + text[at:]
	}
	return appendBlock(text, mark+"\n"+content)
}

// planDirectAdmin adds to the .pre.conf files, if the exim.conf that is there includes them.
func planDirectAdmin(d *draft, s Snippets) error {
	if s.Way == ByRewrite {
		return notPossible("DirectAdmin", "rewrite rules", "use the way "+string(ByACL))
	}
	main, err := os.ReadFile(filepath.Join(d.root, "/etc/exim.conf"))
	if err != nil {
		return fmt.Errorf("read Exim's configuration: %w", err)
	}
	s.folder = panelACLs
	if err := createFiles(d, s, nil); err != nil {
		return err
	}
	for _, p := range s.askedPoints() {
		file := p.directAdmin
		included := regexp.MustCompile(`(?m)^[ \t]*\.include(_if_exists)?[ \t]+` + regexp.QuoteMeta(file) + `[ \t]*$`)
		if file == "" || !included.Match(main) {
			return notPossible("this /etc/exim.conf", "asking at "+string(p.point),
				"ask at other points (--at), or bring the configuration up to date with CustomBuild (build exim_conf)")
		}
		if err := d.add(file, s.Hook(p.point)); err != nil {
			return err
		}
	}
	return nil
}
