package lab

import (
	"path/filepath"

	"osm/exim"
)

// PolicySocket is where Exim asks when Options.Ask is set.
func (e *Exim) PolicySocket() string { return e.path("policy.sock") }

// Queue is the lab's queue, with what is held in it.
func (e *Exim) Queue() *exim.Queue {
	return &exim.Queue{Spool: filepath.Join(e.folder, "spool"), Command: e.Command}
}

// ask adds the pieces of configuration by which Exim asks, as osm exim install puts them into a server's. The retry rule
// has to come before others.
func (e *Exim) ask(o *Options) (main []mainOption, retry string, err error) {
	if o.Ask == "" {
		return nil, "", nil
	}
	s, err := exim.Snippets{Way: o.Ask, Socket: e.PolicySocket(), Closed: o.AskClosed, EximUID: e.uid}.Ready()
	if err != nil {
		return nil, "", err
	}
	if o.Ask == exim.ByRewrite {
		o.Rewrite += s.RewriteRule()
		o.Routers = s.Router() + o.Routers
		return nil, s.RetryRule(), nil
	}
	o.ACL += s.ACLs() + s.Around(exim.AtData, "") + s.Around(exim.AtNotSMTP, "")
	return []mainOption{{"acl_smtp_data", "osm_check_data"}, {"acl_not_smtp", "osm_check_not_smtp"}}, "", nil
}
