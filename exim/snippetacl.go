package exim

import (
	"fmt"
	"strings"
)

// acls are those that the hooks call.
func (s *Snippets) acls() []namedACL {
	request := strings.ReplaceAll(request("$acl_arg1",
		attribute{"recipient", plain("${if eq{$acl_arg1}{RCPT}{${quote_local_part:$local_part}@$domain}}")},
		attribute{"exim_recipients_b64", "${base64:" + cutRecipients + "}"}), "%", "%%")
	answer := s.answer(request, "DUNNO|OK|REJECT|DEFER|DEFER_IF_PERMIT|HOLD|REDIRECT|DISCARD|PREPEND", `[\x20-\x7e]{1,400}?`)
	all := []namedACL{{"osm_ask", fmt.Sprintf(askACL, s.beginnings(), answer, s.unanswered())}}
	if s.asks(AtMail) || s.asks(AtRcpt) {
		all = append(all, namedACL{"osm_early", earlyACL})
	}
	if s.asks(AtData) || s.asks(AtNotSMTP) {
		all = append(all, namedACL{"osm_late", lateACL})
	}
	if s.asks(AtNotSMTP) {
		all = append(all, namedACL{"osm_not_smtp", fmt.Sprintf(notSMTPACL, s.EximUID)})
	}
	return all
}

// cutRecipients is the list of recipients, shortened between two of them when it is very long: recipient_count tells all.
var cutRecipients = fmt.Sprintf(`${if >{${strlen:$recipients}}{%d}{${sg{${length_%[1]d:$recipients}}{\N,[^,]*$\N}{}}}{$recipients}}`,
	recipientsLength)

// beginnings are the states at which the first question about a message is asked: ACL variables get their first values
// there, for configurations with strict_acl_vars. At RCPT that can't be known: an earlier one may have been refused
// before osm was asked. Unset variables will do there, without strict_acl_vars.
func (s *Snippets) beginnings() string {
	list := "CONNECT:AUTH:NOTSMTP"
	switch {
	case s.asks(AtMail):
		list += ":MAIL"
	case !s.asks(AtRcpt):
		list += ":DATA"
	}
	return list
}

// askACL asks one question: $acl_arg1 is its state. Refusals and deferrals are carried out here; the rest is left to
// those who call, in $acl_m_osm_verb and $acl_m_osm_text. An ACL can't send a message elsewhere: it is held instead.
// Without a whole answer acl_m_osm is empty, and nothing more is asked about the message.
const askACL = `  warn  condition = ${if inlist{$acl_arg1}{%s}}
        set acl_m_osm_down = no
        set acl_m_osm_held =
        set acl_m_osm =
  warn  !condition = ${if eq{$acl_m_osm_down}{yes}}
        set acl_m_osm = %s
  warn  set acl_m_osm_verb = ${sg{${extract{1}{ }{$acl_m_osm}}}{^REDIRECT\$}{HOLD}}
        set acl_m_osm_text = ${sg{$acl_m_osm}{\N^\S+ *\N}{}}
  warn  condition = ${if eq{$acl_m_osm}{}}
        !condition = ${if eq{$acl_m_osm_down}{yes}}
        set acl_m_osm_down = yes
        logwrite = osm: no verdict at $acl_arg1
%s  deny  condition = ${if eq{$acl_m_osm_verb}{REJECT}}
        message = ${if !eq{$acl_m_osm_text}{}{$acl_m_osm_text}{refused by policy}}
        log_message = osm: $acl_m_osm_text
  defer condition = ${if match{$acl_m_osm_verb}{^DEFER}}
        !condition = ${if eq{$acl_arg1}{NOTSMTP}}
        message = ${if !eq{$acl_m_osm_text}{}{$acl_m_osm_text}{try again later}}
        log_message = osm: $acl_m_osm_text
  accept
`

// unanswered is what becomes of mail without an answer, in osm_ask.
func (s *Snippets) unanswered() string {
	if !s.Closed {
		return ""
	}
	return `  defer condition = ${if eq{$acl_m_osm_down}{yes}}
        !condition = ${if eq{$acl_arg1}{NOTSMTP}}
        message = 4.7.1 try again later
        log_message = osm: no verdict
  warn  condition = ${if eq{$acl_m_osm_down}{yes}}
        set acl_m_osm_verb = HOLD
        set acl_m_osm_text = ` + NoVerdict + "\n"
}

// NoVerdict is the text of Queued.Verdict when a local submission is held because osm did not answer and mail is to wait
// then: it is to be released, or judged, when osm is back.
const NoVerdict = "no verdict"

// earlyACL is for MAIL and RCPT. Before the data there is no freezing, but there is the named queue, which no queue runner
// looks into. What is put into it is frozen as well at DATA.
const earlyACL = `  require acl = osm_ask $acl_arg1
  warn  condition = ${if eq{$acl_m_osm_verb}{HOLD}}
        set acl_m_osm_held = ${if !eq{$acl_m_osm_text}{}{$acl_m_osm_text}{held}}
        queue = ` + HoldQueue + `
  accept
`

// lateACL is for DATA and local submissions. Not even a deferral is possible for the latter: it would be a bounce.
const lateACL = `  require acl = osm_ask $acl_arg1
  warn  condition = ${if or{{eq{$acl_m_osm_verb}{HOLD}}{match{$acl_m_osm_verb}{^DEFER}}}}
        set acl_m_osm_held = ${if !eq{$acl_m_osm_text}{}{$acl_m_osm_text}{held}}
  warn  condition = ${if !eq{$acl_m_osm_held}{}}
        control = freeze/no_tell
        logwrite = osm: held: $acl_m_osm_held
  warn  condition = ${if eq{$acl_m_osm_verb}{PREPEND}}
        condition = ${if match{$acl_m_osm_text}{\N^[A-Za-z][A-Za-z0-9-]*: \N}}
        add_header = :at_start:$acl_m_osm_text
  accept
`

// notSMTPACL lets the bounces pass that Exim itself makes: they come as its own user's submissions without a sender.
const notSMTPACL = `  warn  set acl_m_osm_verb = DUNNO
  accept senders = :
         condition = ${if eq{$originator_uid}{%d}}
  require acl = osm_late $acl_arg1
  accept
`
