package check

import "osm"

// readContent reads from the content what needs no outside opinion, and writes it into o.
func (c *Checks) readContent(r *Request, o *osm.Opinions) {
	if r.Content == nil {
		return
	}
	o.Links, o.LinkCount, o.Attachments, o.Extensions = r.read.links, r.read.linkCount, r.read.attachments, r.read.extensions
}
