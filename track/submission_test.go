package track

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"osm"
	"osm/exim"
)

// arrivals feeds a log and tells, for each arrival, its script and how sure that is. A line begins with its second, or
// with | when it has no time.
func arrivals(f *feed, log string) string {
	var out []string
	for line := range strings.Lines(log) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if raw, ok := strings.CutPrefix(line, "|"); ok {
			line = raw
		} else {
			line = "2026-11-23 08:25:" + line
		}
		if ev := f.add(line); ev.New {
			out = append(out, fmt.Sprintf("%s %s", ev.Message.Script.Path, ev.Message.Script.Sure))
		}
	}
	return strings.Join(out, "; ")
}

func TestScripts(t *testing.T) {
	for _, c := range []struct{ name, log, want string }{
		{"one", `
			36 cwd=/home/alice/public_html 3 args: /usr/sbin/sendmail -t -i
			36 1xVPMm-0000iH-1g <= alice@osm.test U=alice P=local S=317`,
			"/home/alice/public_html probable"},
		{"by pid, mixed", `
			36.1 [2747] cwd=/home/alice/a 3 args: /usr/sbin/sendmail -t -i
			36.1 [2748] cwd=/home/alice/b 3 args: /usr/sbin/sendmail -t -i
			36.2 [2748] 1xVPMm-0000iK-1g <= alice@osm.test U=alice P=local S=317
			36.2 [2747] 1xVPMm-0000iJ-1g <= alice@osm.test U=alice P=local S=317`,
			"/home/alice/b exact; /home/alice/a exact"},
		{"by the pid in the id", `
			36.1 [2747] cwd=/home/alice/a 3 args: /usr/sbin/sendmail -t -i
			36.1 [2748] cwd=/home/alice/b 3 args: /usr/sbin/sendmail -t -i
			36.2 1xVPMm-0000iJ-1g <= alice@osm.test U=alice P=local S=317
			36.2 1xVPMm-00000000iJ1-1g10 <= alice@osm.test U=alice P=local S=317
			36.2 1xVPMm-000000000iK-1g10 <= alice@osm.test U=alice P=local S=317`,
			"/home/alice/a exact;  unknown; /home/alice/b exact"},
		{"two folders, no pid: it may be either", `
			36 cwd=/srv/a 3 args: /usr/sbin/sendmail -t -i
			36 cwd=/srv/b 3 args: /usr/sbin/sendmail -t -i
			36 1xVPMm-0000iH-1g <= alice@osm.test U=www-data P=local S=317
			36 1xVPMm-0000iI-1g <= alice@osm.test U=www-data P=local S=317
			36 cwd=/srv/c 3 args: /usr/sbin/sendmail -t -i
			36 1xVPMm-0000iK-1g <= alice@osm.test U=www-data P=local S=317`,
			" unknown;  unknown; /srv/c probable"},
		{"what is left over may be used up", `
			36 cwd=/srv/a 3 args: /usr/sbin/sendmail -t -i
			36 cwd=/srv/b 3 args: /usr/sbin/sendmail -t -i
			36 1xVPMm-0000iH-1g <= alice@osm.test U=www-data P=local S=317
			36 cwd=/srv/c 3 args: /usr/sbin/sendmail -t -i
			36 1xVPMm-0000iI-1g <= alice@osm.test U=www-data P=local S=317
			36 1xVPMm-0000iK-1g <= alice@osm.test U=www-data P=local S=317
			36 1xVPMm-0000iL-1g <= alice@osm.test U=www-data P=local S=317`,
			" unknown;  unknown;  unknown;  unknown"},
		{"two of one folder", `
			36 cwd=/srv/a 3 args: /usr/sbin/sendmail -t -i
			36 cwd=/srv/a 3 args: /usr/sbin/sendmail -t -i
			36 1xVPMm-0000iH-1g <= alice@osm.test U=www-data P=local S=317
			36 1xVPMm-0000iI-1g <= alice@osm.test U=www-data P=local S=317
			36 1xVPMm-0000iK-1g <= alice@osm.test U=www-data P=local S=317`,
			"/srv/a probable; /srv/a probable;  unknown"},
		{"the folder's owner", `
			36 cwd=/home/alice/public_html 3 args: /usr/sbin/sendmail -t -i
			36 cwd=/home/bob/public_html 3 args: /usr/sbin/sendmail -t -i
			36 cwd=/home/bobby/public_html 3 args: /usr/sbin/sendmail -t -i
			36 1xVPMm-0000iH-1g <= bob@osm.test U=bob P=local S=317
			36 1xVPMm-0000iI-1g <= alice@osm.test U=alice P=local S=317`,
			"/home/bob/public_html probable; /home/alice/public_html probable"},
		{"Exim's own lines are no scripts", `
			36 cwd=/srv/lab 5 args: exim4 -bd -q1h -oP /run/exim.pid
			36 cwd=/var/spool/exim4 2 args: /usr/sbin/exim4 -q
			36 cwd=/var/spool/exim4 3 args: /usr/sbin/exim4 -Mc 1xVPMa-0000Tw-18
			36 cwd=/var/spool/exim4 13 args: /usr/sbin/exim4 -MCD -MCP -MCS -MCQ 13696 4 -MC sink 127.0.0.1 127.0.0.1 3 1xVPOo-0003PV-2V
			36 cwd=/root 2 args: /usr/bin/mailq
			36 cwd=/root 2 args: exim -bpc
			36 cwd=/root 3 args: exim4 -bt a@b
			36 cwd=/home/alice 2 args: /usr/sbin/sendmail -t
			36 1xVPMm-0000iH-1g <= alice@osm.test U=alice P=local S=317`,
			"/home/alice probable"},
		{"an option's value is no mode", `
			36 cwd=/srv/a 5 args: /usr/sbin/sendmail -t -i -f -q
			36 1xVPMm-0000iH-1g <= -q@osm.test U=www-data P=local S=317
			36 cwd=/srv/b 3 args: /usr/sbin/sendmail "-Fa -q" -t
			36 1xVPMm-0000iI-1g <= -q@osm.test U=www-data P=local S=317`,
			"/srv/a probable; /srv/b probable"},
		{"a bounce has its own line", `
			36 cwd=/var/spool/exim4 7 args: /usr/sbin/exim4 -t -oem -oi -f <> -E1xVPOo-0003PV-0F
			36 cwd=/home/alice 3 args: /usr/sbin/sendmail -t -i
			36 1xVPMm-0000iH-1g <= alice@osm.test U=alice P=local S=317
			36 1xVPMm-0000iI-1g <= <> R=1xVPOo-0003PV-0F U=Debian-exim P=local S=317`,
			"/home/alice probable; /var/spool/exim4 probable"},
		{"-bs makes several", `
			36 cwd=/home/alice 2 args: /usr/sbin/sendmail -bs
			36 cwd=/home/alice/x 3 args: /usr/sbin/sendmail -t -i
			36 1xVPMm-0000iH-1g <= alice@osm.test U=alice P=local-esmtp S=317
			36 1xVPMm-0000iH-1h <= alice@osm.test U=alice P=local S=317
			36 1xVPMm-0000iH-1i <= alice@osm.test U=alice P=local-esmtp S=317
			36 cwd=/srv/other 2 args: /usr/sbin/sendmail -bs
			36 1xVPMm-0000iH-1k <= www@osm.test U=www-data P=local-esmtp S=317`,
			"/home/alice probable; /home/alice/x probable; /home/alice probable;  unknown"},
		{"-bs by pid", `
			36.1 [2746] cwd=/home/alice 2 args: /usr/sbin/sendmail -bs
			36.1 [2746] 1xVPMm-0000iI-1h <= alice@osm.test U=alice P=local-smtp S=317
			36.1 [2746] 1xVPMm-0000iI-1i <= alice@osm.test U=alice P=local-smtp S=317`,
			"/home/alice exact; /home/alice exact"},
		{"a refused submission uses up its line", `
			36 cwd=/srv/a 3 args: /usr/sbin/sendmail -t -i
			36 1xVPMm-0000iH-1g F=<a@osm.test> rejected by non-SMTP ACL: local spam refused
			36 cwd=/srv/b 3 args: /usr/sbin/sendmail -t -i
			36 1xVPMm-0000iI-1g <= alice@osm.test U=www-data P=local S=317`,
			"/srv/b probable"},
		{"too old", `
			01 cwd=/srv/a 3 args: /usr/sbin/sendmail -t -i
			59 1xVPMm-0000iI-1g <= alice@osm.test U=www-data P=local S=317
			59 cwd=/srv/a 3 args: /usr/sbin/sendmail -t -i`,
			"/srv/a probable"},
		{"over SMTP there is no script", `
			36 cwd=/srv/a 3 args: /usr/sbin/sendmail -t -i
			36 1xVPMm-0000iI-1g <= alice@osm.test H=(x) [192.0.2.1] P=esmtp S=317`,
			" unknown"},
		{"a folder that forges", `
			36 cwd=/srv/a 3 args: /usr/sbin/sendmail -t -i
			36 cwd=/tmp/x
			36 1xVPMm-0000iZ-1g => false@line
			| 3 args: /usr/sbin/sendmail -t -i
			36 1xVPMm-0000iI-1g <= alice@osm.test U=www-data P=local S=317`,
			" unknown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := arrivals(newFeed(Options{}), c.log); got != c.want {
				t.Errorf("scripts %q, want %q", got, c.want)
			}
		})
	}
}

// A line whose message never came must not be taken for the line of a message much later.
func TestSubmissionWaitsNotForever(t *testing.T) {
	f := newFeed(Options{})
	f.add("2026-11-23 08:25:36 cwd=/srv/a 3 args: /usr/sbin/sendmail -t -i")
	ev := f.add("2026-11-23 08:27:36 1xVPMm-0000iI-1g <= a@osm.test U=www-data P=local S=317")
	if ev.Message.Script != (osm.Script{}) {
		t.Errorf("script %+v", ev.Message.Script)
	}
	for i := range 10 * maxSubmissions {
		f.add(fmt.Sprintf("2026-11-23 08:27:36 cwd=/srv/%d 3 args: /usr/sbin/sendmail -t -i", i))
	}
	if n := len(f.t.submissions.list); n != maxSubmissions {
		t.Errorf("%d waiting lines", n)
	}
}

// With pids in the log every local arrival of the real logs is tied exactly, and to the folder that the log has for
// the pid.
func TestRealSubmissions(t *testing.T) {
	for _, name := range []string{"all", "osm-recommended", "cpanel", "4.99-cpanel", "directadmin"} {
		t.Run(name, func(t *testing.T) {
			f := newFeed(Options{})
			dirs := map[int]string{}
			count := map[osm.Confidence]int{}
			for _, line := range sample(t, name) {
				ev := f.add(line)
				e := &f.entry
				if e.Kind == exim.Submission {
					dirs[e.PID] = strings.Clone(e.Dir)
				}
				if !ev.New || e.User == "" || e.IP != "" {
					continue
				}
				s := ev.Message.Script
				count[s.Sure]++
				if e.PID != 0 && (s.Sure != osm.Exact || s.Path != dirs[e.PID]) {
					t.Errorf("%s\nis tied to %q, %s; the log has %q", line, s.Path, s.Sure, dirs[e.PID])
				}
			}
			t.Log(count)
			if f.entry.PID == 0 && count[osm.Unknown] > (count[osm.Probable]+count[osm.Unknown])/4 {
				t.Errorf("too many are unknown: %v", count)
			}
		})
	}
}

// The same log without its pids: what is then said to be probable is true, and most is said.
func TestRealSubmissionsWithoutPID(t *testing.T) {
	pid := regexp.MustCompile(`^(\S+ \S+) \[\d+\]`)
	for _, name := range []string{"all", "osm-recommended"} {
		exact, guessed := newFeed(Options{}), newFeed(Options{})
		count := map[osm.Confidence]int{}
		for _, line := range sample(t, name) {
			want, got := exact.add(line), guessed.add(pid.ReplaceAllString(line, "$1"))
			if !want.New || want.Message.Script.Sure != osm.Exact {
				continue
			}
			s := got.Message.Script
			count[s.Sure]++
			if s.Sure == osm.Exact || s.Sure == osm.Probable && s.Path != want.Message.Script.Path {
				t.Errorf("%s\nis tied to %q, %s; want %q", line, s.Path, s.Sure, want.Message.Script.Path)
			}
		}
		if count[osm.Probable] < 5*count[osm.Unknown] {
			t.Errorf("%s: %v, want more", name, count)
		}
	}
}
