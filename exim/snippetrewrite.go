package exim

import (
	"strings"
)

// RewriteRule asks about each envelope recipient (flag T, specification 31.9) when a message's headers are there. Bounces
// and the hold domain itself are not asked about. Inside the quotes of a rewriting rule every backslash is doubled
// (specification 31.5).
func (s *Snippets) RewriteRule() string {
	none := "fail" // the address stays as it is
	if s.Closed {
		// The address waits in the hold domain, unsigned: only osm can sign. Exim does not rewrite to one of more than 255
		// bytes: mail for a very long one is refused by osm when it is back.
		none = "{${if <{${strlen:$0}}{170}{u.${sg{${tr{${base64:$0}}{+/}{-_}}}{=}{}}}{long}}@" + HoldDomain + "}"
	}
	asked := s.answer(request("REWRITE", attribute{"recipient", plain("$0")}, attribute{"exim_address_b64", "${base64:$0}"}),
		"DUNNO|OK|REDIRECT", `[A-Za-z0-9._-]{1,1000}@`+strings.ReplaceAll(HoldDomain, ".", `\.`))
	text := "${if and{{def:sender_address}{!eqi{${domain:$0}}{" + HoldDomain + "}}}" +
		"{${if match{" + asked + `}{\N^(\S+) (.*)\N}{${if eq{$1}{REDIRECT}{$2}fail}}` + none + "}}fail}"
	return "# osm: one question for each recipient\n" +
		`*@* "` + strings.ReplaceAll(text, `\`, `\\`) + "\" T\n"
}

// Router answers for the hold domain: it asks again at every delivery attempt, so that what osm has released meanwhile
// goes to its original recipient. Its retries are kept by address, and what it makes is not rewritten a second time.
func (s *Snippets) Router() string {
	asked := s.answer(request("REWRITE", attribute{"recipient", plain("$local_part@$domain")}),
		"REJECT|DEFER|REDIRECT|DISCARD", `[\x20-\x7e]{1,1000}?`)
	return `# osm: addresses that are held
osm_hold:
  driver = redirect
  domains = ` + HoldDomain + `
  caseful_local_part
  retry_use_local_part
  no_verify
  no_rewrite
  allow_defer
  allow_fail
  forbid_file
  forbid_pipe
  forbid_include
  data = ${if match{` + asked + `}{\N^(\S+) (.*)\N}\
    {${if eq{$1}{REDIRECT}{${base64d:$2}}\
    {${if eq{$1}{REJECT}{:fail: $2}\
    {${if eq{$1}{DISCARD}{:blackhole:}\
    {:defer: $2}}}}}}}\
    {:defer: held, osm does not answer}}

`
}

// RetryRule keeps a held address from ending by itself: that is the hold's life cycle's to do.
func (s *Snippets) RetryRule() string {
	return "# osm: a held address is tried again until osm lets it go\n*@" + HoldDomain + " * F,3650d,15m\n"
}
