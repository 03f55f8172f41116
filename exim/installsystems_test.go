package exim_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"osm/exim"
)

// The configurations below have the structure and the names of what the panels write, with an Exim that can be run here.

const mainSection = "primary_hostname = mx.osm.test\nqualify_domain = osm.test\nkeep_environment =\ntls_advertise_hosts =\nhost_lookup =\n" +
	"spool_directory = /var/spool/exim4\nlog_file_path = /var/log/exim4/%slog\npid_file_path = /run/exim4/exim.pid\n" +
	"domainlist local_domains = osm.test : localhost\nhostlist relay_from_hosts = 127.0.0.1\n"

const afterACL = "begin routers\n\nall:\n  driver = accept\n  transport = nowhere\n\nbegin transports\n\nnowhere:\n  driver = appendfile\n" +
	"  file = /dev/null\n  user = mail\n\nbegin retry\n\n* * F,1h,10m\n\nbegin authenticators\n"

const hestiaTemplate = mainSection + "acl_smtp_mail = acl_check_mail\nacl_smtp_rcpt = acl_check_rcpt\nacl_smtp_data = acl_check_data\n\n" +
	"# the ACLs\nacl_not_smtp = acl_not_smtp\n\nbegin acl\n\nacl_not_smtp:\n  warn    add_header = X-Theirs: not_smtp\n  accept\n\n" +
	"acl_check_mail:\n  accept\n\nacl_check_rcpt:\n  accept  hosts = +relay_from_hosts\n  deny\n\n" +
	"acl_check_data:\n  warn    add_header = X-Theirs: data\n  accept\n\n" + afterACL

const directAdminConf = mainSection + ".include_if_exists /etc/exim.strings.conf.custom\nacl_smtp_rcpt = acl_check_recipient\n" +
	"acl_smtp_data = acl_check_message\nacl_not_smtp = acl_script\n\nbegin acl\n\nacl_check_recipient:\n" +
	"  .include_if_exists /etc/exim.acl_check_recipient.pre.conf\n  accept hosts = +relay_from_hosts\n  deny\n\n" +
	"acl_check_message:\n  .include_if_exists /etc/exim.acl_check_message.pre.conf\n  accept\n\n" +
	"acl_script:\n  .include_if_exists /etc/exim.acl_script.pre.conf\n  accept\n\n" + afterACL

// cpanelBuild stands in for buildeximconf: switched-on custom files come into their blocks, parts of exim.conf.local into
// their sections, and a configuration that Exim does not take is not put in place.
const cpanelBuild = `#!/bin/sh
on() { grep -qx "acl_custom_begin_$2=1" /etc/exim.conf.localopts && cat /usr/local/cpanel/etc/exim/acls/ACL_$1_BLOCK/custom_begin_$2; }
part() { sed -n "/^@$1@\$/,/^@[A-Z]*@\$/p" /etc/exim.conf.local | grep -v '^@'; }
{
cat /usr/local/cpanel/etc/exim/main
echo 'begin acl'
echo 'acl_smtp_connect_acl:'; on CONNECT connect; echo ' accept'
echo 'acl_smtp_rcpt_acl:'; on RECIPIENT recipient; echo ' accept hosts = +relay_from_hosts'
echo 'acl_smtp_data_acl:'; on CHECK_MESSAGE_PRE check_message_pre; echo ' accept'
echo 'acl_not_smtp_acl:'; on NOT_SMTP not_smtp; echo ' accept'
echo 'begin rewrite'; part REWRITE
echo 'begin routers'; part ROUTERSTART
cat /usr/local/cpanel/etc/exim/routers
echo 'begin retry'; part RETRYSTART; echo '* * F,1h,10m'
} >/etc/exim.conf.new
exim4 -C /etc/exim.conf.new -bV >/dev/null && mv /etc/exim.conf.new /etc/exim.conf
`

const cpanelMain = mainSection + "acl_smtp_connect = acl_smtp_connect_acl\nacl_smtp_rcpt = acl_smtp_rcpt_acl\n" +
	"acl_smtp_data = acl_smtp_data_acl\nacl_not_smtp = acl_not_smtp_acl\n"

// panel makes the Exim here read a panel's /etc/exim.conf.
func panel(s *server) { s.write("etc/exim4/exim4.conf", ".include /etc/exim.conf\n") }

func furnishHestia(s *server) {
	split(false)(s)
	s.write("usr/local/hestia/conf/hestia.conf", "")
	s.write("etc/exim4/exim4.conf.template", hestiaTemplate)
}

func furnishDirectAdmin(s *server) {
	panel(s)
	s.write("usr/local/directadmin/conf/directadmin.conf", "")
	s.write("etc/exim.conf", directAdminConf)
	s.write("etc/exim.acl_check_message.pre.conf", "  warn add_header = X-Theirs: 1") // no line end
}

func furnishCPanel(s *server) {
	panel(s)
	s.write("usr/local/cpanel/etc/exim/main", cpanelMain)
	s.write("usr/local/cpanel/etc/exim/routers", strings.TrimPrefix(strings.Split(afterACL, "begin retry")[0], "begin routers\n"))
	s.write("usr/local/cpanel/scripts/buildeximconf", cpanelBuild)
	s.write("etc/exim.conf.localopts", "acl_custom_begin_not_smtp=0\nsystemfilter=1\n")
	s.write("etc/exim.conf.local", "@CONFIG@\n\n@REWRITE@\n\n@ROUTERSTART@\n\n@RETRYSTART@\n\n@TRANSPORTSTART@\n")
	for _, block := range []string{"CONNECT", "RECIPIENT", "CHECK_MESSAGE_PRE", "NOT_SMTP"} {
		s.write("usr/local/cpanel/etc/exim/acls/ACL_"+block+"_BLOCK/default", "# cPanel's own\n")
	}
	s.write("usr/local/cpanel/etc/exim/acls/ACL_NOT_SMTP_BLOCK/custom_begin_not_smtp", "  warn add_header = X-Theirs: 1\n")
	s.sh("chmod 755 $R/usr/local/cpanel/scripts/buildeximconf")
}

func furnishPlain(s *server) {
	s.sh("rm -rf $R/etc/exim4/conf.d $R/etc/exim4/exim4.conf.template")
	s.write("etc/exim4/exim4.conf", hestiaTemplate)
}

// TestSystems installs by ACL into what each panel has, as the real Exim reads it.
func TestSystems(t *testing.T) {
	for kind, furnish := range map[string]func(*server){"hestiacp": furnishHestia, "directadmin": furnishDirectAdmin, "cpanel": furnishCPanel,
		"plain": furnishPlain} {
		t.Run(kind, func(t *testing.T) {
			s := newServer(t, furnish)
			switch kind {
			case "hestiacp":
				s.must("update-exim4.conf")
			case "cpanel":
				s.must("/usr/local/cpanel/scripts/buildeximconf")
			}
			o := holding(t)
			touched := []string{"etc", "usr/local", "var/lib/exim4", "var/tmp"}
			before := s.state(touched...)
			s.startDaemon()
			life(t, s, s.installer(exim.Snippets{Socket: o.socket, At: []exim.Point{exim.AtRcpt, exim.AtData, exim.AtNotSMTP}}), kind, touched, before)
		})
	}
}

// TestRewritingSystems installs the rewriting way where there is a place for it, and refuses where there is none.
func TestRewritingSystems(t *testing.T) {
	for _, c := range []struct {
		kind    string
		furnish func(*server)
		refused string
	}{
		{"debian-split", split(true), ""}, {"cpanel", furnishCPanel, ""}, {"hestiacp", furnishHestia, ""}, {"plain", furnishPlain, ""},
		{"debian-single", split(false), "no supported place"}, {"directadmin", furnishDirectAdmin, "no supported place"},
	} {
		t.Run(c.kind, func(t *testing.T) {
			s := newServer(t, c.furnish)
			if c.kind == "cpanel" {
				s.must("/usr/local/cpanel/scripts/buildeximconf")
			}
			ctx := within(t)
			i := s.installer(exim.Snippets{Way: exim.ByRewrite, Socket: socketPath(t), Closed: true})
			before := s.state("etc", "usr/local", "var/tmp")
			_, err := i.Install(ctx, installed)
			if c.refused != "" {
				if err == nil || !strings.Contains(err.Error(), c.refused) {
					t.Errorf("%v", err)
				}
				s.same(before, "etc", "usr/local", "var/tmp")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.run(ctx, "To: local@far.invalid\nSubject: by sendmail\n\nBody\n", "/usr/sbin/sendmail", "-t", "-i"); err != nil {
				t.Fatal(err)
			}
			if got := s.heldSubjects(); !slices.Equal(got, []string{"by sendmail"}) {
				t.Errorf("without osm and closed, these wait: %q", got)
			}
			if _, err := i.Uninstall(ctx); err != nil {
				t.Fatal(err)
			}
			s.same(before, "etc", "usr/local", "var/tmp")
		})
	}
}

// TestBrokenConfiguration: where Exim's configuration does not work with osm's part, everything is as before and the
// daemon is not told anything.
func TestBrokenConfiguration(t *testing.T) {
	for name, c := range map[string]struct{ file, text string }{
		"syntax":  {"etc/exim4/conf.d/main/99_theirs", "no_such_option = 1\n"},
		"run":     {"etc/exim4/conf.d/main/000_theirs", "MAIN_ACL_CHECK_RCPT = no_such_acl\n"},
		"already": {"etc/exim4/conf.d/main/000_theirs", "acl_not_smtp = ${if eq{1}{1}{acl_check_data}}\n"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, split(true))
			s.must("update-exim4.conf")
			s.startDaemon()
			s.write(c.file, c.text)
			before := s.state("etc", "var/lib/exim4", "var/tmp", "usr/local")
			i := s.installer(exim.Snippets{Socket: socketPath(t)})
			if _, err := i.Install(within(t), installed); err == nil {
				t.Error("it is installed")
			} else {
				t.Log(err)
			}
			s.same(before, "etc", "var/lib/exim4", "var/tmp", "usr/local")
			s.alive()
		})
	}
}

// TestTheirOwnACLs: what the administrator has put in before goes on working, and what he changes while osm is installed
// stays when it is not.
func TestTheirOwnACLs(t *testing.T) {
	s := newServer(t, split(true))
	dir := "etc/exim4/conf.d/"
	s.write(dir+"main/000_theirs", "MAIN_ACL_CHECK_DATA = their_data\nacl_not_smtp = their_not_smtp\n# more\n")
	s.write(dir+"acl/10_theirs", "their_data:\n  warn add_header = X-Theirs: data\n  accept\ntheir_not_smtp:\n  warn add_header = X-Theirs: not_smtp\n  accept\n")
	s.must("update-exim4.conf")
	s.startDaemon()
	o := holding(t)
	i := s.installer(exim.Snippets{Socket: o.socket})
	ctx := within(t)
	if _, err := i.Install(ctx, installed); err != nil {
		t.Fatal(err)
	}
	if err := s.deliver(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.run(ctx, "To: local@far.invalid\nSubject: by sendmail\n\nBody\n", "/usr/sbin/sendmail", "-t", "-i"); err != nil {
		t.Fatal(err)
	}
	q := &exim.Queue{Spool: filepath.Join(s.root, "var/spool/exim4")}
	theirs := 0
	for m, err := range q.Messages(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if m.Header("X-Theirs") != "" && m.Held() {
			theirs++
		}
	}
	if theirs != 2 {
		t.Errorf("%d messages went through their ACLs and were held, not 2", theirs)
	}
	s.sh("echo '# added later' >> $R/" + dir + "main/000_theirs")
	if _, err := i.Uninstall(ctx); err != nil {
		t.Fatal(err)
	}
	want := "MAIN_ACL_CHECK_DATA = their_data\nacl_not_smtp = their_not_smtp\n# more\n# added later\n"
	if got := s.must("cat", "/"+dir+"main/000_theirs"); got != want {
		t.Errorf("left: %q", got)
	}
}
