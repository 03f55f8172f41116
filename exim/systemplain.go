package exim

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
)

// planPlain changes the one file that there is: the lines that name the ACLs, and, for rewriting, the sections.
func planPlain(d *draft, s Snippets) error {
	if d.config == "" {
		return errors.New("the configuration file is not known: name it with --file")
	}
	s.folder = filepath.Join(filepath.Dir(d.config), "osm")
	return planFile(d, s, d.config)
}

// planFile hooks into a whole configuration file.
func planFile(d *draft, s Snippets, path string) error {
	if s.Way == ByRewrite {
		return planFileRewrite(d, s, path)
	}
	inside := map[Point]string{}
	var missing strings.Builder
	for _, p := range s.askedPoints() {
		inner, err := replaceSetting(d, []string{path}, p.option, s.checkName(p.point))
		if err != nil {
			return err
		}
		inside[p.point] = inner
		if inner == "" {
			fmt.Fprintf(&missing, "%s = %s\n", p.option, s.checkName(p.point))
		}
	}
	if err := createFiles(d, s, inside); err != nil {
		return err
	}
	text, exists, err := d.read(path)
	if err != nil {
		return err
	}
	if !exists {
		return fmt.Errorf("%s does not exist", path)
	}
	if missing.Len() > 0 {
		if text, err = beforeFirstSection(text, block(missing.String())); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return d.write(path, text)
}

// planFileRewrite puts the rule, the router and the retry rule first in their sections.
func planFileRewrite(d *draft, s Snippets, path string) error {
	text, exists, err := d.read(path)
	if err != nil {
		return err
	}
	if !exists {
		return fmt.Errorf("%s does not exist", path)
	}
	for _, section := range []struct{ name, text string }{
		{"rewrite", s.RewriteRule()}, {"routers", s.Router()}, {"retry", s.RetryRule()},
	} {
		text = intoSection(text, section.name, section.text)
	}
	return d.write(path, text)
}

var anySection = regexp.MustCompile(`(?m)^[ \t]*begin[ \t]+[a-z]+[ \t]*$`)

// beforeFirstSection puts a block at the end of the main section (specification 6.1).
func beforeFirstSection(text, block string) (string, error) {
	at := anySection.FindStringIndex(text)
	if at == nil {
		return "", errors.New("it has no line \"begin ...\", so it is no configuration of Exim's, or includes its sections")
	}
	return text[:at[0]] + block + text[at[0]:], nil
}

// intoSection puts a block at the beginning of a section, which need not exist.
func intoSection(text, name, content string) string {
	section := regexp.MustCompile(`(?m)^[ \t]*begin[ \t]+` + name + `[ \t]*\n`)
	at := section.FindStringIndex(text)
	if at == nil {
		return appendBlock(text, "begin "+name+"\n"+content)
	}
	return text[:at[1]] + block(content) + text[at[1]:]
}

// replaceSetting looks for an option's or a macro's line in files and replaces it there. It returns what was set, "" where it is
// set nowhere. Only the name of an ACL can be replaced, and only where it stands once: what is more is for a human.
func replaceSetting(d *draft, paths []string, name, value string) (was string, err error) {
	line := regexp.MustCompile(`(?m)^[ \t]*` + name + `[ \t]*==?[ \t]*(.*)\n`)
	for _, path := range paths {
		text, exists, err := d.read(path)
		if err != nil {
			return "", err
		}
		if !exists {
			continue
		}
		found := line.FindAllStringSubmatchIndex(text, -1)
		if len(found) == 0 {
			continue
		}
		at := found[0]
		theirs := strings.TrimSpace(text[at[2]:at[3]])
		if len(found) > 1 || was != "" || !aclName.MatchString(theirs) {
			return "", fmt.Errorf("%s is set in %s in a way that osm can't put itself around (%s): see osm exim print, and do it "+
				"by hand", name, path, theirs)
		}
		was = theirs
		old := text[at[0]:at[1]]
		sign := " = "
		if strings.Contains(old, "==") {
			sign = " == "
		}
		if err := d.write(path, text[:at[0]]+block(blockWas+old+name+sign+value+"\n")+text[at[1]:]); err != nil {
			return "", err
		}
	}
	return was, nil
}

// aclName is the name of an ACL, or of a file with one.
var aclName = regexp.MustCompile(`^[A-Za-z/][A-Za-z0-9_./-]*$`)
