package exim

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Point is a place in Exim's configuration where it can ask osm. Its names are those of osm exim install --at.
type Point string

// The points, in the order in which a message passes them.
const (
	AtConnect Point = "connect"
	AtAuth    Point = "auth"
	AtMail    Point = "mail"
	AtRcpt    Point = "rcpt"
	AtData    Point = "data"
	AtNotSMTP Point = "not_smtp"
)

// pointRow says of a point which question it asks (the policy protocol's state), which option of Exim's names the ACL
// that asks it, which of osm's ACLs does, and where panels have a place for it: cPanel's ACL block, and the file that
// DirectAdmin's exim.conf includes ("" is none).
type pointRow struct {
	point               Point
	state, option, acl  string
	cpanel, directAdmin string
}

var points = [...]pointRow{
	{AtConnect, "CONNECT", "acl_smtp_connect", "osm_ask", "CONNECT", ""},
	{AtAuth, "AUTH", "acl_smtp_auth", "osm_ask", "SMTP_AUTH", ""},
	{AtMail, "MAIL", "acl_smtp_mail", "osm_early", "MAIL_PRE", ""},
	{AtRcpt, "RCPT", "acl_smtp_rcpt", "osm_early", "RECIPIENT", "/etc/exim.acl_check_recipient.pre.conf"},
	{AtData, "DATA", "acl_smtp_data", "osm_late", "CHECK_MESSAGE_PRE", "/etc/exim.acl_check_message.pre.conf"},
	{AtNotSMTP, "NOTSMTP", "acl_not_smtp", "osm_not_smtp", "NOT_SMTP", "/etc/exim.acl_script.pre.conf"},
}

// Way is how Exim asks.
type Way string

// The two ways that Exim offers.
const (
	ByACL     Way = "acl"     // ACLs ask; the usual one
	ByRewrite Way = "rewrite" // a rewrite rule asks, for sites that can't touch their ACLs
)

// HoldDomain is the domain of rewritten addresses: it exists nowhere (RFC 6761 section 6.4).
const HoldDomain = "osm-hold.invalid"

// Snippets are the pieces of configuration by which Exim asks osm. Everything they define begins with osm_ (ACLs, a
// router, ACL variables); they define no macros, because a macro's name may not be contained in that of a later one
// (specification 6.4).
type Snippets struct {
	Way     Way     // "" is ByACL
	Socket  string  // osm's policy socket; "" is /run/osm/policy.sock
	At      []Point // where ACLs ask; nil is at DATA and for local submissions, where one question covers a message
	Closed  bool    // without an answer mail waits, instead of going its way
	Strict  bool    // the configuration has strict_acl_vars
	EximUID int     // the user id of Exim's own user, whose local submissions without a sender are bounces

	folder string // where ACLs are files of their own; "" where they are named
}

// DefaultSocket is where osm's policy server listens.
const DefaultSocket = "/run/osm/policy.sock"

// socketPath is what may be in the socket's name: nothing that Exim's expansion takes for something else.
var socketPath = regexp.MustCompile(`^/[A-Za-z0-9._/-]+$`)

// Ready is the same with the defaults filled in; the error says what can't be used.
func (s Snippets) Ready() (Snippets, error) {
	if s.Way == "" {
		s.Way = ByACL
	}
	if s.Socket == "" {
		s.Socket = DefaultSocket
	}
	if len(s.At) == 0 {
		s.At = []Point{AtData, AtNotSMTP}
	}
	if s.Way != ByACL && s.Way != ByRewrite {
		return s, fmt.Errorf("%q is no way to ask: there are %s and %s", s.Way, ByACL, ByRewrite)
	}
	if !socketPath.MatchString(s.Socket) || filepath.Clean(s.Socket) != s.Socket {
		return s, fmt.Errorf("%q can't be the socket: an absolute path of letters, digits and ._-/ is needed", s.Socket)
	}
	for _, at := range s.At {
		if !slices.ContainsFunc(points[:], func(p pointRow) bool { return p.point == at }) {
			return s, fmt.Errorf("%q is no point to ask at: there are %s", at, pointNames())
		}
	}
	if s.Strict && s.asks(AtRcpt) && !s.asks(AtMail) {
		return s, fmt.Errorf("with strict_acl_vars Exim can't ask at %s alone: ask at %s too", AtRcpt, AtMail)
	}
	if s.EximUID == 0 {
		return s, errors.New("the user id of Exim's own user is not known")
	}
	return s, nil
}

func pointNames() string {
	var names []string
	for _, p := range points {
		names = append(names, string(p.point))
	}
	return strings.Join(names, ", ")
}

// askSeconds is how long Exim waits for an answer. It counts whole seconds. After an unanswered question nothing more is asked about the
// same message, so that this is all a message loses when osm is down.
const askSeconds = 1

// Patience is how long Exim waits for an answer: a later one is none.
const Patience = askSeconds * time.Second

// plain makes a value printable: a line end in it would be a line of the request's own (EXIM.md section 2).
func plain(variable string) string { return `${sg{` + variable + `}{\N[^\x20-\x7e]\N}{?}}` }

// recipientsLength is how much of the recipients' list is told, in bytes. A request larger than the socket's buffer would
// make Exim wait in its write, which no timeout ends, while osm does not read.
const recipientsLength = 65536

// attribute is one name=value of a request.
type attribute struct{ name, value string }

func request(state string, more ...attribute) string {
	all := append([]attribute{
		{"request", "smtpd_access_policy"},
		{"protocol_state", state},
		{"protocol_name", plain("$received_protocol")},
		{"client_address", "$sender_host_address"},
		{"client_port", "$sender_host_port"},
		{"server_port", "${if >{$received_port}{0}{$received_port}{0}}"}, // it is -1 for root's own submissions
		{"helo_name", plain("$sender_helo_name")},
		{"queue_id", "$message_exim_id"},
		{"sender", plain("$sender_address")},
		{"recipient_count", "$recipients_count"},
		{"size", "${if >{$message_size}{0}{$message_size}{0}}"},
		{"sasl_method", plain("$sender_host_authenticated")},
		{"sasl_username", plain("$authenticated_id")},
		{"encryption_cipher", plain("$tls_in_cipher")},
		{"exim_uid", "$originator_uid"},
		{"exim_ident", plain("$sender_ident")},
		{"exim_cwd_b64", "${base64:$initial_cwd}"},
		{"exim_subject_b64", `${base64:${sg{${length_998:$rh_subject:}}{\N^\s+|\s+$\N}{}}}`},
	}, more...)
	var b strings.Builder
	for _, a := range all {
		b.WriteString(a.name + "=" + a.value + `\n`)
	}
	return b.String() + `\n`
}

// answer is the expansion that asks: nothing but an answer that is complete and understood gives "VERB text", and
// everything else the empty string. An answer's final empty line arrives as two spaces, so a torn one does not match.
func (s *Snippets) answer(request, verbs, text string) string {
	return fmt.Sprintf(`${if match{${readsocket{%s}{%s}{%ds}{ }{unreachable}}}`+
		`{\N^action=(%s)(?: (%s))?  $\N}{$1 $2}{}}`, s.Socket, request, askSeconds, verbs, text)
}

// Hook is what an ACL has at a point, among statements of its own: it goes on when osm has no objection. A discard can't
// come out of an ACL that is called by require (specification 43.22), so it is a statement here.
func (s *Snippets) Hook(at Point) string {
	for _, p := range points {
		if p.point == at {
			return s.calls(hook(p))
		}
	}
	return ""
}

func hook(p pointRow) string {
	text := fmt.Sprintf("  require acl = %s %s\n", p.acl, p.state)
	if p.point != AtConnect && p.point != AtAuth {
		text += "  discard condition = ${if eq{$acl_m_osm_verb}{DISCARD}}\n"
	}
	return text
}

// calls makes a text call ACLs by their files, where they are in files.
func (s *Snippets) calls(text string) string {
	if s.folder == "" {
		return text
	}
	return strings.ReplaceAll(text, "acl = osm_", "acl = "+s.folder+"/")
}

// checkName is the ACL that Around makes, as an option names it.
func (s *Snippets) checkName(at Point) string {
	return strings.TrimPrefix(s.calls("acl = osm_check_"+string(at)), "acl = ")
}

// namedACL is an ACL's name and its statements.
type namedACL struct{ name, text string }

func written(acls []namedACL) string {
	var b strings.Builder
	for _, a := range acls {
		fmt.Fprintf(&b, "\n%s:\n%s", a.name, a.text)
	}
	return b.String()
}

// ACLs are the named ACLs that the hooks call, for the section that begins with "begin acl".
func (s *Snippets) ACLs() string { return written(s.acls()) }

// Around is an ACL named osm_check_POINT that does what the ACL inner does and then asks osm about what that one lets
// through. It stands in for inner where the configuration names the ACL of a point. Behind endpass a discard, a drop and a
// deferral of either come out as they are (specification 43.18). inner may be "".
func (s *Snippets) Around(at Point, inner string) string { return written(s.around(at, inner)) }

func (s *Snippets) around(at Point, inner string) []namedACL {
	for _, p := range points {
		if p.point != at {
			continue
		}
		check, then := "osm_check_"+string(at), "osm_then_"+string(at)
		asks := hook(p) + "  accept\n"
		if inner == "" {
			return []namedACL{{check, asks}}
		}
		return []namedACL{{check, fmt.Sprintf("  accept endpass\n         acl = %s\n         acl = %s\n", inner, then)}, {then, asks}}
	}
	return nil
}

// asks tells whether something is asked at a point.
func (s *Snippets) asks(at Point) bool { return slices.Contains(s.At, at) }
