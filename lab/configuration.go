package lab

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// configuration is the text of Exim's configuration file. Names of routers, transports and authenticators are those of
// Debian's packages, so that logs look as they do there.
func (e *Exim) configuration() (string, error) {
	o := e.options
	asking, retry, err := e.ask(&o)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "LAB_FOLDER = %s\nLAB_USER = %d\nLAB_GROUP = %d\n", e.folder, e.uid, e.gid)
	if o.Sink != nil {
		fmt.Fprintf(&b, "LAB_ROUTES = %s\nLAB_PORT = %d\n", o.Sink.routes(), o.Sink.port)
	}
	fmt.Fprintf(&b, "domainlist local_domains = %s\n", strings.Join(o.domains(), " : "))
	for _, part := range []string{e.mainSection(asking), aclSection, o.ACL, "begin routers", o.Routers, routersSection,
		"begin transports", o.Transports, transportsSection, "begin retry", retry, retrySection, "begin rewrite", o.Rewrite,
		"begin authenticators", authenticatorsSection} {
		b.WriteString(part + "\n")
	}
	return b.String(), nil
}

// domains are all local ones.
func (o *Options) domains() []string { return append([]string{Domain}, o.Domains...) }

// mainOption is an option of the main section that the caller may replace.
type mainOption struct{ name, value string }

// setsOption finds the options that a text sets, Exim specification 6.5; "hide" may come before the name.
var setsOption = regexp.MustCompile(`(?m)^[ \t]*(?:hide[ \t]+)?(?:no_|not_)?([a-z0-9_]+)[ \t]*(?:=|$)`)

func (e *Exim) mainSection(more []mainOption) string {
	var theirs []string
	for _, m := range setsOption.FindAllStringSubmatch(e.options.Main, -1) {
		theirs = append(theirs, m[1])
	}
	var b strings.Builder
	for _, o := range append(e.mainOptions(), more...) {
		if !slices.Contains(theirs, o.name) {
			fmt.Fprintf(&b, "%s = %s\n", o.name, o.value)
		}
	}
	return b.String() + e.options.Main + "\n"
}

func (e *Exim) mainOptions() []mainOption {
	selector := e.options.Selector
	if selector == "" {
		selector = SelectorDebian
	}
	certificate, key := e.Certificate()
	return []mainOption{
		{"exim_path", e.binary},
		{"primary_hostname", Host},
		{"qualify_domain", Domain},
		{"spool_directory", e.path("spool")},
		{"log_file_path", e.path("log", "%slog")},
		{"log_selector", selector},
		{"pid_file_path", e.pidFile()},
		{"keep_environment", ""},
		{"add_environment", "PATH=/usr/sbin:/usr/bin:/bin"},
		{"local_interfaces", fmt.Sprintf("<; [%s]:%d ; [%s]:%d", e.smtp.Addr(), e.smtp.Port(), e.submission.Addr(),
			e.submission.Port())},
		// Only clients that come from this address tell theirs by the PROXY protocol: see Caller.
		{"hosts_proxy", proxied.String()},
		{"tls_advertise_hosts", "*"},
		{"tls_certificate", certificate},
		{"tls_privatekey", key},
		{"auth_advertise_hosts", "*"},
		{"acl_smtp_rcpt", "lab_rcpt"},
		{"host_lookup", ""},
		{"host_lookup_order", "byaddr"},  // from the lab's own file
		{"smtputf8_advertise_hosts", ""}, // or Go's client would ask for it in every message
		{"rfc1413_hosts", ""},
		{"check_spool_space", "0"},
		{"check_spool_inodes", "0"},
		{"smtp_accept_max", "200"},
		{"smtp_accept_max_per_connection", "0"},
		{"smtp_accept_queue_per_connection", "0"},
		{"queue_run_max", "1"},
		// As Debian sets it: scripts may say who the sender is.
		{"untrusted_set_sender", "*"},
		{"local_from_check", "false"},
		{"local_sender_retain", "true"},
		{"timeout_frozen_after", "7d"},
	}
}

// daemonArgs are Exim's arguments as a daemon that stays this program's child.
func (e *Exim) daemonArgs() []string {
	args := []string{"-bdf", "-oP", e.pidFile()}
	if every := e.options.QueueEvery; every > 0 {
		args = append(args, fmt.Sprintf("-q%ds", int(every/time.Second)))
	}
	return args
}

func (e *Exim) pidFile() string { return e.path("run", "exim.pid") }

const aclSection = `
begin acl
lab_rcpt:
  accept authenticated = *
  accept hosts = <; 127.0.0.1 ; ::1
  accept domains = +local_domains
         endpass
         verify = recipient
  deny   message = relay not permitted
`

const routersSection = `
.ifdef LAB_ROUTES
dnslookup:
  driver = manualroute
  domains = ! +local_domains
  route_list = LAB_ROUTES
  transport = remote_smtp
  self = send
  no_more
.endif

system_aliases:
  driver = redirect
  domains = +local_domains
  data = ${lookup{$local_part@$domain}lsearch*@{LAB_FOLDER/exim/aliases}}
  allow_fail
  allow_defer
  allow_freeze

local_user:
  driver = accept
  domains = +local_domains
  address_data = ${lookup{$local_part@$domain}lsearch{LAB_FOLDER/exim/mailboxes}{$value}fail}
  transport = mail_spool
`

const transportsSection = `
.ifdef LAB_ROUTES
remote_smtp:
  driver = smtp
  port = LAB_PORT
  allow_localhost
  hosts_try_prdr =
  hosts_try_fastopen =
  hosts_try_chunking =
  hosts_try_dane =
.endif

mail_spool:
  driver = appendfile
  file = LAB_FOLDER/mail/$address_data
  user = LAB_USER
  group = LAB_GROUP
  # Many bounces go to one mailbox: they wait for its lock, instead of looking again every 3 seconds.
  no_use_lockfile
  lock_fcntl_timeout = 1m
  delivery_date_add
  envelope_to_add
  return_path_add
`

const retrySection = `
* * F,1h,3s
`

const authenticatorsSection = `
plain_server:
  driver = plaintext
  public_name = PLAIN
  server_advertise_condition = ${if def:tls_in_cipher}
  server_prompts = :
  server_condition = ${if and{{!eq{$auth3}{}}{eq{$auth3}{${lookup{$auth2}lsearch{LAB_FOLDER/exim/logins}}}}}}
  server_set_id = $auth2

login_server:
  driver = plaintext
  public_name = LOGIN
  server_advertise_condition = ${if def:tls_in_cipher}
  server_prompts = Username:: : Password::
  server_condition = ${if and{{!eq{$auth2}{}}{eq{$auth2}{${lookup{$auth1}lsearch{LAB_FOLDER/exim/logins}}}}}}
  server_set_id = $auth1
`
