package exim

import (
	"testing"
	"time"
	"unsafe"
)

// parsed checks lines against what osm parse writes for them. Each line is read by a parser of its own.
func parsed(t *testing.T, lines [][2]string) {
	t.Helper()
	for _, l := range lines {
		p := NewParser(time.UTC)
		p.SetLatest(time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC))
		var e Entry
		p.Parse(l[0], &e)
		if got := string(AppendJSON(nil, &e)); got != l[1] {
			t.Errorf("%s\n got %s\nwant %s", l[0], got, l[1])
		}
	}
}

func TestParseArrivals(t *testing.T) {
	parsed(t, [][2]string{
		{`2026-11-23 14:20:58.646 [8334] 1xVUug-0002AQ-24 <= root@osm.test U=root P=local S=263 M8S=0 RT=0.001s id="a b) [1.2.3.4] S=9"@x T="x" from <root@osm.test> for "a: b"@fail.example "x R=fake T=smtp <y@z>"@far.example`,
			`{"time":"2026-11-23T14:20:58.646Z","id":"1xVUug-0002AQ-24","kind":"arrival","pid":8334,"sender":"root@osm.test","recipients":["\"a: b\"@fail.example","\"x R=fake T=smtp <y@z>\"@far.example"],"protocol":"local","user":"root","message_id":"\"a b) [1.2.3.4] S=9\"@x","size":263,"subject":"x"}`},
		{`2026-11-23 08:25:24 1xVPMa-0000Tw-18 <= alice@osm.test H=(client.example) [127.0.0.1]:39764 P=esmtp S=327 id=1795422324352066.9756@client.example T="hello" for x0@far.example`,
			`{"time":"2026-11-23T08:25:24Z","id":"1xVPMa-0000Tw-18","kind":"arrival","sender":"alice@osm.test","recipients":["x0@far.example"],"helo":"client.example","ip":"127.0.0.1","port":39764,"protocol":"esmtp","message_id":"1795422324352066.9756@client.example","size":327,"subject":"hello"}`},
		{`2026-11-23 08:27:00.284 [10397] 1xVPO8-0002hh-0u <= alice@osm.test H=(client.example) [127.0.0.1]:40794 I=[127.0.0.1]:3525 P=esmtp L.- S=326 M8S=0 RT=0.000s id=1795422420283685.884@client.example T="\303\251moji \360\237\230\200 \"x\" for a@b.c from <z@z>" from <alice@osm.test> for x4@far.example`,
			`{"time":"2026-11-23T08:27:00.284Z","id":"1xVPO8-0002hh-0u","kind":"arrival","pid":10397,"sender":"alice@osm.test","recipients":["x4@far.example"],"helo":"client.example","ip":"127.0.0.1","port":40794,"local_ip":"127.0.0.1","local_port":3525,"protocol":"esmtp","message_id":"1795422420283685.884@client.example","size":326,"subject":"émoji 😀 \"x\" for a@b.c from <z@z>"}`},
		{`2026-11-23 03:27:17.206 -0500 [11599] 1xVPOP-000315-0e <= alice@osm.test H=(client.example) [127.0.0.1]:57616 P=esmtp S=342 id=a@b T="trailing backslash \\" from <alice@osm.test> for x2@far.example`,
			`{"time":"2026-11-23T03:27:17.206-05:00","id":"1xVPOP-000315-0e","kind":"arrival","pid":11599,"sender":"alice@osm.test","recipients":["x2@far.example"],"helo":"client.example","ip":"127.0.0.1","port":57616,"protocol":"esmtp","message_id":"a@b","size":342,"subject":"trailing backslash \\"}`},
		{`2026-11-23 08:36:53 1xVPXh-000000005gA-0fHi <= alice@osm.test H=(client.example) [127.0.0.1]:59840 P=esmtp S=350 id=1@client.example T="<= not an arrival" for x12@far.example`,
			`{"time":"2026-11-23T08:36:53Z","id":"1xVPXh-000000005gA-0fHi","kind":"arrival","sender":"alice@osm.test","recipients":["x12@far.example"],"helo":"client.example","ip":"127.0.0.1","port":59840,"protocol":"esmtp","message_id":"1@client.example","size":350,"subject":"<= not an arrival"}`},
		{`2026-11-23 08:26:24 1xVPNY-0001lk-30 <= alice@osm.test H=(client.example) [127.0.0.1] P=esmtp S=337 id=1@client.example T="id=abc S=1 A=fake:root@x" for x10@far.example "sp ace"@far.example "q\"uote"@far.example`,
			`{"time":"2026-11-23T08:26:24Z","id":"1xVPNY-0001lk-30","kind":"arrival","sender":"alice@osm.test","recipients":["x10@far.example","\"sp ace\"@far.example","\"q\\\"uote\"@far.example"],"helo":"client.example","ip":"127.0.0.1","protocol":"esmtp","message_id":"1@client.example","size":337,"subject":"id=abc S=1 A=fake:root@x"}`},
		{`2026-11-23 08:27:10 1xVPO8-0002hh-1u <= "R=fake T=smtp"@osm.test H=(weird.example) [127.0.0.1]:40804 P=esmtp S=300 T="weird sender" from <"R=fake T=smtp"@osm.test> for x@far.example`,
			`{"time":"2026-11-23T08:27:10Z","id":"1xVPO8-0002hh-1u","kind":"arrival","sender":"\"R=fake T=smtp\"@osm.test","recipients":["x@far.example"],"helo":"weird.example","ip":"127.0.0.1","port":40804,"protocol":"esmtp","size":300,"subject":"weird sender"}`},
		{`2026-11-23 08:27:10 1xVPO8-0002hh-1v <= "for x@y"@osm.test H=(weird.example) [127.0.0.1] P=esmtp S=300 from <"for x@y"@osm.test> for x@far.example`,
			`{"time":"2026-11-23T08:27:10Z","id":"1xVPO8-0002hh-1v","kind":"arrival","sender":"\"for x@y\"@osm.test","recipients":["x@far.example"],"helo":"weird.example","ip":"127.0.0.1","protocol":"esmtp","size":300}`},
		{`2026-11-23 08:27:10 1xVPO8-0002hh-1w <= "<evil>"@osm.test H=(weird.example) [127.0.0.1] P=esmtp S=300 from <"<evil>"@osm.test> for x@far.example`,
			`{"time":"2026-11-23T08:27:10Z","id":"1xVPO8-0002hh-1w","kind":"arrival","sender":"\"<evil>\"@osm.test","recipients":["x@far.example"],"helo":"weird.example","ip":"127.0.0.1","protocol":"esmtp","size":300}`},
		{`2026-11-23 08:27:11 1xVPO8-0002hh-1x <= spam@osm.test H=([192.0.2.7]) [127.0.0.1]:40812 I=[127.0.0.1]:3587 P=esmtpsa L.- X=TLS1.3:ECDHE_X25519__RSA_PSS_RSAE_SHA256__AES_256_GCM:256 CV=no SNI=mx.osm.test A=login_a:spam@osm.test:alice@osm.test S=910 M8S=0 RT=0.004s T="auth 3" from <spam@osm.test> for r0@far.example r1@far.example`,
			`{"time":"2026-11-23T08:27:11Z","id":"1xVPO8-0002hh-1x","kind":"arrival","sender":"spam@osm.test","recipients":["r0@far.example","r1@far.example"],"helo":"[192.0.2.7]","ip":"127.0.0.1","port":40812,"local_ip":"127.0.0.1","local_port":3587,"protocol":"esmtpsa","tls":"TLS1.3:ECDHE_X25519__RSA_PSS_RSAE_SHA256__AES_256_GCM:256","auth":"login_a","login":"spam@osm.test","size":910,"subject":"auth 3"}`},
		{`2026-11-23 08:27:12 1xVPOC-0002lB-00 <= <> R=1xVPOB-0002hh-3x U=Debian-exim P=local S=1776 T="Mail delivery failed: returning message to sender" from <> for alice@osm.test`,
			`{"time":"2026-11-23T08:27:12Z","id":"1xVPOC-0002lB-00","kind":"arrival","sender":"","recipients":["alice@osm.test"],"protocol":"local","user":"Debian-exim","parent":"1xVPOB-0002hh-3x","size":1776,"subject":"Mail delivery failed: returning message to sender"}`},
		{`2026-11-23 08:27:12 1xVPOC-0002lC-00 <= bob@osm.test U=spaced user P=local S=311 Q=osmhold id=E1xVPOC-0002lC-00@osm.test`,
			`{"time":"2026-11-23T08:27:12Z","id":"1xVPOC-0002lC-00","kind":"arrival","sender":"bob@osm.test","protocol":"local","user":"spaced user","message_id":"E1xVPOC-0002lC-00@osm.test","queue":"osmhold","size":311}`},
		{`1999-03-02 09:44:33 10HmaZ-000000005vi-0000 <= c@test.ex H=proxylookedupname.net (clienthelo) [127.0.0.1]:1112 P=esmtpsa X=TLS1.2:ke-RSA-AES256-SHAnnn:xxx CV=yes DN="/C=UK/O=The Exim Maintainers/OU=Test Suite/CN=Phil Pennock" A=xclient:hisloginname PRX=10.0.0.1 PRDR K S=700 DKIM=test.ex ARC id*=E10HmbA-0005vi-00@myhost.test.ex`,
			`{"time":"1999-03-02T09:44:33Z","id":"10HmaZ-000000005vi-0000","kind":"arrival","sender":"c@test.ex","host":"proxylookedupname.net","helo":"clienthelo","ip":"127.0.0.1","port":1112,"protocol":"esmtpsa","tls":"TLS1.2:ke-RSA-AES256-SHAnnn:xxx","auth":"xclient","login":"hisloginname","message_id":"E10HmbA-0005vi-00@myhost.test.ex","size":700}`},
		{`1999-03-02 09:44:33 10HmaX-000000005vi-0000 <= ok@test.ex H=l-sec.test.ex DS [127.0.0.1] TFO* P=esmtp L* SPF S=700`,
			`{"time":"1999-03-02T09:44:33Z","id":"10HmaX-000000005vi-0000","kind":"arrival","sender":"ok@test.ex","host":"l-sec.test.ex","ip":"127.0.0.1","protocol":"esmtp","size":700}`},
		{`1999-03-02 09:44:33 10HmbC-000000005vi-0000 (= b2@dump.ex H=localhost (myhost.test.ex) [127.0.0.1] P=esmtp S=300 for rmt_fakereject@test.ex`,
			`{"time":"1999-03-02T09:44:33Z","id":"10HmbC-000000005vi-0000","kind":"arrival","fakereject":true,"sender":"b2@dump.ex","recipients":["rmt_fakereject@test.ex"],"host":"localhost","helo":"myhost.test.ex","ip":"127.0.0.1","protocol":"esmtp","size":300}`},
	})
}

func TestParseDeliveries(t *testing.T) {
	parsed(t, [][2]string{
		{`2026-11-23 14:20:58.648 [8339] 1xVUug-0002AQ-24 ** a: b@fail.example <"a: b"@fail.example> F=<root@osm.test> R=fail: no: such thing DT=0.000s`,
			`{"time":"2026-11-23T14:20:58.648Z","id":"1xVUug-0002AQ-24","kind":"failure","pid":8339,"sender":"root@osm.test","address":"a: b@fail.example","original":"\"a: b\"@fail.example","router":"fail","answer":"no: such thing"}`},
		{`2026-11-23 14:20:58.651 [8339] 1xVUug-0002AQ-24 => x r=fake t=smtp <y@z> <"x R=fake T=smtp <y@z>"@far.example> F=<root@osm.test> P=<root@osm.test> R=bh T=bh S=0 QT=0.009s DT=0.002s`,
			`{"time":"2026-11-23T14:20:58.651Z","id":"1xVUug-0002AQ-24","kind":"delivery","pid":8339,"sender":"root@osm.test","address":"x r=fake t=smtp <y@z>","original":"\"x R=fake T=smtp <y@z>\"@far.example","return_path":"root@osm.test","router":"bh","transport":"bh"}`},
		{`2026-11-23 08:27:00.340 [10399] 1xVPO8-0002hh-0v => x1@far.example F=<alice@osm.test> P=<alice@osm.test> R=sinkr T=sink S=357 H=127.0.0.1 [127.0.0.1]:3025 I=[127.0.0.1]:54896 L C="250 OK id=1ABCDE-000001-Xy" QT=0.054s DT=0.009s`,
			`{"time":"2026-11-23T08:27:00.340Z","id":"1xVPO8-0002hh-0v","kind":"delivery","pid":10399,"sender":"alice@osm.test","address":"x1@far.example","return_path":"alice@osm.test","host":"127.0.0.1","ip":"127.0.0.1","port":3025,"local_ip":"127.0.0.1","local_port":54896,"size":357,"router":"sinkr","transport":"sink","code":250,"answer":"250 OK id=1ABCDE-000001-Xy"}`},
		{`2026-11-23 08:27:01 1xVPO8-0002hh-0v -> x2@far.example R=sinkr T=sink H=mx.example.org [2001:db8::25]:25* X=TLS1.3:TLS_AES_256_GCM_SHA384:256 CV=yes DN="CN=a \"b\"" A=plain PRDR K C="250- 3nn byte chunk, total 3nn\\n250 OK id=\"x\""`,
			`{"time":"2026-11-23T08:27:01Z","id":"1xVPO8-0002hh-0v","kind":"delivery","additional":true,"address":"x2@far.example","host":"mx.example.org","ip":"2001:db8::25","port":25,"tls":"TLS1.3:TLS_AES_256_GCM_SHA384:256","auth":"plain","router":"sinkr","transport":"sink","code":250,"answer":"250- 3nn byte chunk, total 3nn\\n250 OK id=\"x\""}`},
		{`2026-11-23 08:27:01 1xVPO8-0002hh-0w => bob (list@osm.test, all@osm.test) <chain@osm.test> R=local T=mbox`,
			`{"time":"2026-11-23T08:27:01Z","id":"1xVPO8-0002hh-0w","kind":"delivery","address":"bob","parents":"list@osm.test, all@osm.test","original":"chain@osm.test","router":"local","transport":"mbox"}`},
		{`2026-11-23 08:27:01 1xVPO8-0002hh-0w => sp ace@far.example <"sp ace"@far.example> R=sinkr T=sink H=127.0.0.1 [127.0.0.1] C="250 OK"`,
			`{"time":"2026-11-23T08:27:01Z","id":"1xVPO8-0002hh-0w","kind":"delivery","address":"sp ace@far.example","original":"\"sp ace\"@far.example","host":"127.0.0.1","ip":"127.0.0.1","router":"sinkr","transport":"sink","code":250,"answer":"250 OK"}`},
		{`2026-11-23 08:27:01 1xVPO8-0002hh-0w => x@y R=fake T=smtp H=h [1.2.3.4]@far.example <"x@y R=fake T=smtp H=h [1.2.3.4]"@far.example> R=sinkr T=sink C="250 OK"`,
			`{"time":"2026-11-23T08:27:01Z","id":"1xVPO8-0002hh-0w","kind":"delivery","address":"x@y R=fake T=smtp H=h [1.2.3.4]@far.example","original":"\"x@y R=fake T=smtp H=h [1.2.3.4]\"@far.example","router":"sinkr","transport":"sink","code":250,"answer":"250 OK"}`},
		{`2026-11-23 08:27:01 1xVPO8-0002hh-0w => |/bin/sh -c "cat >/tmp/out: 1" <pipe@osm.test> R=alias T=pipe`,
			`{"time":"2026-11-23T08:27:01Z","id":"1xVPO8-0002hh-0w","kind":"delivery","address":"|/bin/sh -c \"cat >/tmp/out: 1\"","original":"pipe@osm.test","router":"alias","transport":"pipe"}`},
		{`2026-11-23 08:27:01 1xVPO8-0002hh-0w => :blackhole: <devnull@osm.test> R=aliases`,
			`{"time":"2026-11-23T08:27:01Z","id":"1xVPO8-0002hh-0w","kind":"delivery","address":":blackhole:","original":"devnull@osm.test","router":"aliases"}`},
		{`2026-11-23 08:27:01 1xVPO8-0002hh-0w => blackhole (DATA ACL discarded recipients): OSM discarded`,
			`{"time":"2026-11-23T08:27:01Z","id":"1xVPO8-0002hh-0w","kind":"delivery","address":"blackhole","answer":"(DATA ACL discarded recipients): OSM discarded"}`},
		{`2026-11-23 08:27:01 1xVPO8-0002hh-0w => >usery@osm.test <userx@osm.test> R=filter T=autoreply`,
			`{"time":"2026-11-23T08:27:01Z","id":"1xVPO8-0002hh-0w","kind":"delivery","address":">usery@osm.test","original":"userx@osm.test","router":"filter","transport":"autoreply"}`},
		{`2026-11-23 08:27:01 1xVPO8-0002hh-0w => /dev/null <devnull@osm.test> R=system_aliases T=**bypassed**`,
			`{"time":"2026-11-23T08:27:01Z","id":"1xVPO8-0002hh-0w","kind":"delivery","address":"/dev/null","original":"devnull@osm.test","router":"system_aliases","transport":"**bypassed**"}`},
		{`1999-03-02 09:44:33 10HmaY-000000005vi-0000 >> userx@domain.com <ruserx@domain.com> P=<CALLER@myhost.test.ex> R=all T=smtp H=127.0.0.1 [127.0.0.1] C="250 OK"`,
			`{"time":"1999-03-02T09:44:33Z","id":"10HmaY-000000005vi-0000","kind":"cutthrough","address":"userx@domain.com","original":"ruserx@domain.com","return_path":"CALLER@myhost.test.ex","host":"127.0.0.1","ip":"127.0.0.1","router":"all","transport":"smtp","code":250,"answer":"250 OK"}`},
		{`1999-03-02 09:44:33 10HmaX-000000005vi-0000 *> a@test.ex P=<a@aa> R=r1 T=t1 H=127.0.0.1 [127.0.0.1] C="delivery bypassed by -N option"`,
			`{"time":"1999-03-02T09:44:33Z","id":"10HmaX-000000005vi-0000","kind":"suppressed","address":"a@test.ex","return_path":"a@aa","host":"127.0.0.1","ip":"127.0.0.1","router":"r1","transport":"t1","answer":"delivery bypassed by -N option"}`},
		{`2026-11-23 08:27:13.676 [11367] 1xVPOE-0002ml-3D == defer0@far.example R=sinkr T=sink defer (-44) H=127.0.0.1 [127.0.0.1]:3025 I=[127.0.0.1]:39452 DT=0.000s: SMTP error from remote mail server after RCPT TO:<defer0@far.example>: 451 4.7.1 greylisted, try again later`,
			`{"time":"2026-11-23T08:27:13.676Z","id":"1xVPOE-0002ml-3D","kind":"deferral","pid":11367,"address":"defer0@far.example","host":"127.0.0.1","ip":"127.0.0.1","port":3025,"local_ip":"127.0.0.1","local_port":39452,"router":"sinkr","transport":"sink","errno":-44,"code":451,"enhanced":"4.7.1","answer":"SMTP error from remote mail server after RCPT TO:<defer0@far.example>: 451 4.7.1 greylisted, try again later"}`},
		{`2026-11-23 08:27:13.750 [11395] 1xVPOE-0002ml-3D == defer0@far.example routing defer (-52) DT=0.000s: retry time not reached`,
			`{"time":"2026-11-23T08:27:13.750Z","id":"1xVPOE-0002ml-3D","kind":"deferral","pid":11395,"address":"defer0@far.example","errno":-52,"answer":"retry time not reached"}`},
		{`2026-11-23 08:27:13 1xVPOE-0002ml-3D == x@dead.example R=dead T=sink defer (111): Connection refused`,
			`{"time":"2026-11-23T08:27:13Z","id":"1xVPOE-0002ml-3D","kind":"deferral","address":"x@dead.example","router":"dead","transport":"sink","errno":111,"answer":"Connection refused"}`},
		{`2026-11-23 08:27:13 1xVPOE-0002ml-3D == x@slow.example R=all T=smtp defer (110): Connection timed out H=mx.slow.example [192.0.2.1]: SMTP timeout after EHLO mx.osm.test`,
			`{"time":"2026-11-23T08:27:13Z","id":"1xVPOE-0002ml-3D","kind":"deferral","address":"x@slow.example","host":"mx.slow.example","ip":"192.0.2.1","router":"all","transport":"smtp","errno":110,"answer":"SMTP timeout after EHLO mx.osm.test"}`},
		{`1999-03-02 09:44:33 10HmaX-0005vi-00 == userx@test.ex R=good T=pipe defer (13): Permission denied: creating lock file hitching post /x (euid=1 egid=2)`,
			`{"time":"1999-03-02T09:44:33Z","id":"10HmaX-0005vi-00","kind":"deferral","address":"userx@test.ex","router":"good","transport":"pipe","errno":13,"answer":"Permission denied: creating lock file hitching post /x (euid=1 egid=2)"}`},
		{`1999-03-02 09:44:33 10HmaX-0005vi-00 == CALLER@test.ex R=caller T=local_delivery defer (-1)`,
			`{"time":"1999-03-02T09:44:33Z","id":"10HmaX-0005vi-00","kind":"deferral","address":"CALLER@test.ex","router":"caller","transport":"local_delivery","errno":-1}`},
		{`2026-11-23 08:27:07.051 [10712] 1xVPOE-0002ml-3D ** fail0@far.example F=<alice@osm.test> P=<alice@osm.test> R=sinkr T=sink H=127.0.0.1 [127.0.0.1]:3025 I=[127.0.0.1]:55708: SMTP error from remote mail server after RCPT TO:<fail0@far.example>: 550 5.1.1 <x>: Recipient address rejected: User unknown in virtual mailbox table DT=0.000s`,
			`{"time":"2026-11-23T08:27:07.051Z","id":"1xVPOE-0002ml-3D","kind":"failure","pid":10712,"sender":"alice@osm.test","address":"fail0@far.example","return_path":"alice@osm.test","host":"127.0.0.1","ip":"127.0.0.1","port":3025,"local_ip":"127.0.0.1","local_port":55708,"router":"sinkr","transport":"sink","code":550,"enhanced":"5.1.1","answer":"SMTP error from remote mail server after RCPT TO:<fail0@far.example>: 550 5.1.1 <x>: Recipient address rejected: User unknown in virtual mailbox table"}`},
		{`2026-11-23 08:36:55 1xVPXj-000000005i2-2TVu ** fail@far.example R=sinkr T=sink H=127.0.0.1 [127.0.0.1]* X=TLS1.3:TLS_AES_256_GCM_SHA384:256 CV=yes : SMTP error from remote mail server after end of data: 550-5.7.26 unauthenticated\n550 5.7.26 mail`,
			`{"time":"2026-11-23T08:36:55Z","id":"1xVPXj-000000005i2-2TVu","kind":"failure","address":"fail@far.example","host":"127.0.0.1","ip":"127.0.0.1","tls":"TLS1.3:TLS_AES_256_GCM_SHA384:256","router":"sinkr","transport":"sink","code":550,"enhanced":"5.7.26","answer":"SMTP error from remote mail server after end of data: 550-5.7.26 unauthenticated\n550 5.7.26 mail"}`},
		{`2026-11-23 08:26:26 1xVPNa-0001lk-1y ** badsender@osm.test: Unrouteable address`,
			`{"time":"2026-11-23T08:26:26Z","id":"1xVPNa-0001lk-1y","kind":"failure","address":"badsender@osm.test","answer":"Unrouteable address"}`},
		{`1999-03-02 09:44:33 10HmaX-0005vi-00 ** |/p/q/r: x <pipe1@no.test.ex> R=notallowed : delivery to pipe forbidden`,
			`{"time":"1999-03-02T09:44:33Z","id":"10HmaX-0005vi-00","kind":"failure","address":"|/p/q/r: x","original":"pipe1@no.test.ex","router":"notallowed","answer":"delivery to pipe forbidden"}`},
		{`2026-11-23 08:26:26 1xVPNa-0001lk-1y ** nobody@osm.test R=fail_remote_domains: unrouteable mail domain "osm.test"`,
			`{"time":"2026-11-23T08:26:26Z","id":"1xVPNa-0001lk-1y","kind":"failure","address":"nobody@osm.test","router":"fail_remote_domains","answer":"unrouteable mail domain \"osm.test\""}`},
		{`2026-11-23 08:27:00.341 [10399] 1xVPO8-0002hh-0v Completed QT=0.055s`,
			`{"time":"2026-11-23T08:27:00.341Z","id":"1xVPO8-0002hh-0v","kind":"completed","pid":10399}`},
		{`2026-11-23 08:25:24 1xVPMa-0000Tw-18 Completed`,
			`{"time":"2026-11-23T08:25:24Z","id":"1xVPMa-0000Tw-18","kind":"completed"}`},
	})
}

func TestParseSubmissions(t *testing.T) {
	parsed(t, [][2]string{
		{`2026-11-23 08:25:24 cwd=/home/bob/public_html/a=b 2 args: z 3 args: /usr/sbin/sendmail -oi "-FFull 2 args: Name"`,
			`{"time":"2026-11-23T08:25:24Z","kind":"submission","dir":"/home/bob/public_html/a=b 2 args: z","args":"/usr/sbin/sendmail -oi \"-FFull 2 args: Name\""}`},
		{`2026-11-23 08:25:24 [4711] cwd=/home/alice/public_html/wp-content/plugins/x y 4 args: /usr/sbin/sendmail -t -i -f""`,
			`{"time":"2026-11-23T08:25:24Z","kind":"submission","pid":4711,"dir":"/home/alice/public_html/wp-content/plugins/x y","args":"/usr/sbin/sendmail -t -i -f\"\""}`},
		{`2026-11-23 08:25:24 cwd=/tmp/evil`,
			`{"time":"2026-11-23T08:25:24Z","kind":"submission","dir":"/tmp/evil","forged":"torn-cwd"}`},
		{`2026-11-23 08:25:24 cwd= (failed) 2 args: /usr/sbin/sendmail -t`,
			`{"time":"2026-11-23T08:25:24Z","kind":"submission","args":"/usr/sbin/sendmail -t"}`},
	})
}

func TestParseRejections(t *testing.T) {
	parsed(t, [][2]string{
		{`2026-11-23 08:26:26 H=(multi.example) [127.0.0.1]:40806 I=[127.0.0.1]:3525 F=<alice@osm.test> rejected RCPT <a@denied.example>: relay not permitted`,
			`{"time":"2026-11-23T08:26:26Z","kind":"rejection","phase":"RCPT","sender":"alice@osm.test","address":"a@denied.example","helo":"multi.example","ip":"127.0.0.1","port":40806,"local_ip":"127.0.0.1","local_port":3525,"answer":"relay not permitted","text":"H=(multi.example) [127.0.0.1]:40806 I=[127.0.0.1]:3525 F=<alice@osm.test> rejected RCPT <a@denied.example>: relay not permitted"}`},
		{`2026-11-23 08:26:26 H=mail.example.org (multi.example) [192.0.2.3]:40806 X=TLS1.3:TLS_AES_256_GCM_SHA384:256 CV=no SNI="mx" A=plain:bob F=<alice@osm.test> temporarily rejected RCPT <"a b"@far.example>: 451 4.7.1 try later`,
			`{"time":"2026-11-23T08:26:26Z","kind":"rejection","temporary":true,"phase":"RCPT","sender":"alice@osm.test","address":"\"a b\"@far.example","host":"mail.example.org","helo":"multi.example","ip":"192.0.2.3","port":40806,"tls":"TLS1.3:TLS_AES_256_GCM_SHA384:256","auth":"plain","login":"bob","code":451,"enhanced":"4.7.1","answer":"451 4.7.1 try later","text":"H=mail.example.org (multi.example) [192.0.2.3]:40806 X=TLS1.3:TLS_AES_256_GCM_SHA384:256 CV=no SNI=\"mx\" A=plain:bob F=<alice@osm.test> temporarily rejected RCPT <\"a b\"@far.example>: 451 4.7.1 try later"}`},
		{`2026-11-23 08:26:26 H=(multi.example) [127.0.0.1]:3 rejected MAIL <blocked@osm.test>: OSM: sender blocked rule 7`,
			`{"time":"2026-11-23T08:26:26Z","kind":"rejection","phase":"MAIL","sender":"blocked@osm.test","helo":"multi.example","ip":"127.0.0.1","port":3,"answer":"OSM: sender blocked rule 7","text":"H=(multi.example) [127.0.0.1]:3 rejected MAIL <blocked@osm.test>: OSM: sender blocked rule 7"}`},
		{`2026-11-23 08:27:07.820 [10711] 1xVPOF-0002ml-2d H=(multi.example) [127.0.0.1]:40806 F=<alice@osm.test> rejected after DATA: OSM: spam content score=9.1 "quoted"`,
			`{"time":"2026-11-23T08:27:07.820Z","id":"1xVPOF-0002ml-2d","kind":"rejection","pid":10711,"phase":"DATA","sender":"alice@osm.test","helo":"multi.example","ip":"127.0.0.1","port":40806,"answer":"OSM: spam content score=9.1 \"quoted\"","text":"H=(multi.example) [127.0.0.1]:40806 F=<alice@osm.test> rejected after DATA: OSM: spam content score=9.1 \"quoted\""}`},
		{`2026-11-23 08:26:26 H=[10.0.0.3] temporarily rejected connection in "connect" ACL: host deferred`,
			`{"time":"2026-11-23T08:26:26Z","kind":"rejection","temporary":true,"phase":"connection","ip":"10.0.0.3","answer":"host deferred","text":"H=[10.0.0.3] temporarily rejected connection in \"connect\" ACL: host deferred"}`},
		{`2026-11-23 08:26:26 rejected EHLO from [127.0.0.1]:3: syntactically invalid argument(s): _bad helo!`,
			`{"time":"2026-11-23T08:26:26Z","kind":"rejection","phase":"EHLO","ip":"127.0.0.1","port":3,"answer":"syntactically invalid argument(s): _bad helo!","text":"rejected EHLO from [127.0.0.1]:3: syntactically invalid argument(s): _bad helo!"}`},
		{`2026-11-23 08:26:26 1xVPNa-0001lk-1y rejected from <alice@osm.test> H=(big.example) [127.0.0.1]:3: message too big: read=3 max=2`,
			`{"time":"2026-11-23T08:26:26Z","id":"1xVPNa-0001lk-1y","kind":"rejection","phase":"DATA","sender":"alice@osm.test","helo":"big.example","ip":"127.0.0.1","port":3,"answer":"message too big: read=3 max=2","text":"rejected from <alice@osm.test> H=(big.example) [127.0.0.1]:3: message too big: read=3 max=2"}`},
		{`2026-11-23 08:26:26 rejected MAIL FROM:<userx@test.ex> U=CALLER: message too big: size=300 max=200`,
			`{"time":"2026-11-23T08:26:26Z","kind":"rejection","phase":"MAIL","sender":"userx@test.ex","user":"CALLER","answer":"message too big: size=300 max=200","text":"rejected MAIL FROM:<userx@test.ex> U=CALLER: message too big: size=300 max=200"}`},
		{`2026-11-23 08:26:26 1xVPNa-0001lk-1y F=<alice@osm.test> rejected by non-SMTP ACL: local spam refused`,
			`{"time":"2026-11-23T08:26:26Z","id":"1xVPNa-0001lk-1y","kind":"rejection","phase":"not-SMTP","sender":"alice@osm.test","answer":"local spam refused","text":"F=<alice@osm.test> rejected by non-SMTP ACL: local spam refused"}`},
		{`2026-11-23 08:26:26 1xVPNa-0001lk-1y F=x@y U=CALLER P=local-smtp temporarily rejected by local_scan(): Temporary local problem`,
			`{"time":"2026-11-23T08:26:26Z","id":"1xVPNa-0001lk-1y","kind":"rejection","temporary":true,"phase":"local_scan","sender":"x@y","protocol":"local-smtp","user":"CALLER","answer":"Temporary local problem","text":"F=x@y U=CALLER P=local-smtp temporarily rejected by local_scan(): Temporary local problem"}`},
		{`2026-11-23 08:26:26 H=(multi.example) [127.0.0.1]:3 F=<alice@osm.test> RCPT <d@discard.example>: discarded by RCPT ACL`,
			`{"time":"2026-11-23T08:26:26Z","kind":"rejection","phase":"RCPT","sender":"alice@osm.test","address":"d@discard.example","helo":"multi.example","ip":"127.0.0.1","port":3,"answer":"discarded by RCPT ACL","text":"H=(multi.example) [127.0.0.1]:3 F=<alice@osm.test> RCPT <d@discard.example>: discarded by RCPT ACL"}`},
		{`2026-11-23 08:26:26 SMTP protocol synchronization error (input sent without waiting for greeting): rejected connection from H=[192.0.2.9] input="helo abcd\r\n"`,
			`{"time":"2026-11-23T08:26:26Z","kind":"rejection","phase":"synchronization","ip":"192.0.2.9","text":"SMTP protocol synchronization error (input sent without waiting for greeting): rejected connection from H=[192.0.2.9] input=\"helo abcd\u000d\n\""}`},
		{`2026-11-23 08:26:26 refused connection from [192.0.2.9] (host_reject_connection)`,
			`{"time":"2026-11-23T08:26:26Z","kind":"rejection","phase":"connection","ip":"192.0.2.9","text":"refused connection from [192.0.2.9] (host_reject_connection)"}`},
		{`2026-11-23 08:26:26 Connection from [192.0.2.9]:4 refused: too many connections`,
			`{"time":"2026-11-23T08:26:26Z","kind":"rejection","phase":"connection","ip":"192.0.2.9","port":4,"answer":"too many connections","text":"Connection from [192.0.2.9]:4 refused: too many connections"}`},
		{`2026-11-23 08:26:26 1xVPNa-0001lk-1y Error while reading message with no usable sender address (R=1xVPNa-0001lk-1x): rejected by non-SMTP ACL: local configuration problem`,
			`{"time":"2026-11-23T08:26:26Z","id":"1xVPNa-0001lk-1y","kind":"rejection","phase":"not-SMTP","answer":"local configuration problem","text":"Error while reading message with no usable sender address (R=1xVPNa-0001lk-1x): rejected by non-SMTP ACL: local configuration problem"}`},
		{`2026-11-23 08:26:26 1xVPNa-0001lk-1y PRDR R=<userz@test.ex> temporary refusal`,
			`{"time":"2026-11-23T08:26:26Z","id":"1xVPNa-0001lk-1y","kind":"rejection","temporary":true,"phase":"PRDR","address":"userz@test.ex","text":"PRDR R=<userz@test.ex> temporary refusal"}`},
		{`2026-11-23 08:27:02.681 [10640] plain_a authenticator failed for (client.example) [127.0.0.1]:50648 I=[127.0.0.1]:3587: 535 Incorrect authentication data (set_id=no such "user")`,
			`{"time":"2026-11-23T08:27:02.681Z","kind":"auth-failure","pid":10640,"helo":"client.example","ip":"127.0.0.1","port":50648,"local_ip":"127.0.0.1","local_port":3587,"auth":"plain_a","login":"no such \"user\"","code":535,"answer":"535 Incorrect authentication data (set_id=no such \"user\")","text":"plain_a authenticator failed for (client.example) [127.0.0.1]:50648 I=[127.0.0.1]:3587: 535 Incorrect authentication data (set_id=no such \"user\")"}`},
		{`2026-11-23 08:36:54 dovecot_login authenticator failed for H=(client.example) [127.0.0.1]:3 U=ident: 435 Unable to authenticate at present (set_id=userx): account suspended`,
			`{"time":"2026-11-23T08:36:54Z","kind":"auth-failure","helo":"client.example","ip":"127.0.0.1","port":3,"auth":"dovecot_login","login":"userx","user":"ident","code":435,"answer":"435 Unable to authenticate at present (set_id=userx): account suspended","text":"dovecot_login authenticator failed for H=(client.example) [127.0.0.1]:3 U=ident: 435 Unable to authenticate at present (set_id=userx): account suspended"}`},
	})
}

func TestParseConnections(t *testing.T) {
	parsed(t, [][2]string{
		{`2026-11-23 08:26:26 SMTP connection identification H=localhost A=127.0.0.1 P=43512 M=1xVPNa-0001lk-1y U=bob ID=1016 S=bob B=identify_local_connection`,
			`{"time":"2026-11-23T08:26:26Z","kind":"connection","ip":"127.0.0.1","port":43512,"user":"bob","text":"SMTP connection identification H=localhost A=127.0.0.1 P=43512 M=1xVPNa-0001lk-1y U=bob ID=1016 S=bob B=identify_local_connection"}`},
		{`2026-11-23 08:26:26 1xVPNa-0001lk-1y Sender identification U=bob D=example.com S=info@example.com`,
			`{"time":"2026-11-23T08:26:26Z","id":"1xVPNa-0001lk-1y","kind":"notice","sender":"info@example.com","user":"bob","text":"Sender identification U=bob D=example.com S=info@example.com"}`},
		{`2026-11-23 08:26:26 1xVPNa-0001lk-1y SMTP connection outbound 1795422324 1xVPNa-0001lk-1y example.com a@b`,
			`{"time":"2026-11-23T08:26:26Z","id":"1xVPNa-0001lk-1y","kind":"notice","text":"SMTP connection outbound 1795422324 1xVPNa-0001lk-1y example.com a@b"}`},
		{`2026-11-23 08:36:54 1xVPNa-0001lk-1y plain authenticator failed H=smart.example [192.0.2.4] 535 Incorrect authentication data`,
			`{"time":"2026-11-23T08:36:54Z","id":"1xVPNa-0001lk-1y","kind":"connection","host":"smart.example","ip":"192.0.2.4","auth":"plain","code":535,"answer":"535 Incorrect authentication data","text":"plain authenticator failed H=smart.example [192.0.2.4] 535 Incorrect authentication data"}`},
		{`2026-11-23 08:27:00.281 [10310] SMTP connection from [127.0.0.1]:40794 I=[127.0.0.1]:3525 (TCP/IP connection count = 1)`,
			`{"time":"2026-11-23T08:27:00.281Z","kind":"connection","pid":10310,"ip":"127.0.0.1","port":40794,"local_ip":"127.0.0.1","local_port":3525,"text":"SMTP connection from [127.0.0.1]:40794 I=[127.0.0.1]:3525 (TCP/IP connection count = 1)"}`},
		{`2026-11-23 08:26:26 SMTP connection from (host1.example) [::1]:40794 D=3s closed by QUIT`,
			`{"time":"2026-11-23T08:26:26Z","kind":"connection","helo":"host1.example","ip":"::1","port":40794,"text":"SMTP connection from (host1.example) [::1]:40794 D=3s closed by QUIT"}`},
		{`2026-11-23 08:26:26 SMTP connection from bob closed by QUIT`,
			`{"time":"2026-11-23T08:26:26Z","kind":"connection","user":"bob","text":"SMTP connection from bob closed by QUIT"}`},
		{`2026-11-23 08:26:26 no MAIL in SMTP connection from (client.example) [127.0.0.1]:3 D=0.2s A=plain:userx C=EHLO,AUTH,QUIT`,
			`{"time":"2026-11-23T08:26:26Z","kind":"connection","helo":"client.example","ip":"127.0.0.1","port":3,"auth":"plain","login":"userx","text":"no MAIL in SMTP connection from (client.example) [127.0.0.1]:3 D=0.2s A=plain:userx C=EHLO,AUTH,QUIT"}`},
		{`2026-11-23 08:26:26 unexpected disconnection while reading SMTP command from (early) [127.0.0.1]:3 (error: Connection reset by peer) D=2s`,
			`{"time":"2026-11-23T08:26:26Z","kind":"connection","helo":"early","ip":"127.0.0.1","port":3,"text":"unexpected disconnection while reading SMTP command from (early) [127.0.0.1]:3 (error: Connection reset by peer) D=2s"}`},
		{`2026-11-23 08:26:26 SMTP data timeout (message abandoned) on connection from local process F=<a@b> D=3s`,
			`{"time":"2026-11-23T08:26:26Z","kind":"connection","text":"SMTP data timeout (message abandoned) on connection from local process F=<a@b> D=3s"}`},
		{`2026-11-23 08:26:26 SMTP syntax error in "MAIL FROM:<x" H=(fake) [9.9.9.9]" H=(rhu.barb) [192.0.2.5]:4 NUL character(s) present (shown as '?')`,
			`{"time":"2026-11-23T08:26:26Z","kind":"connection","helo":"rhu.barb","ip":"192.0.2.5","port":4,"answer":"NUL character(s) present (shown as '?')","text":"SMTP syntax error in \"MAIL FROM:<x\" H=(fake) [9.9.9.9]\" H=(rhu.barb) [192.0.2.5]:4 NUL character(s) present (shown as '?')"}`},
		{`2026-11-23 08:26:26 H=(multi.example) [127.0.0.1]:3 incomplete transaction (RSET) from <alice@osm.test>`,
			`{"time":"2026-11-23T08:26:26Z","kind":"connection","sender":"alice@osm.test","helo":"multi.example","ip":"127.0.0.1","port":3,"text":"H=(multi.example) [127.0.0.1]:3 incomplete transaction (RSET) from <alice@osm.test>"}`},
		{`2026-11-23 08:26:26 1xVPNa-0001lk-1y H=mx.slow.example [192.0.2.1] Connection refused`,
			`{"time":"2026-11-23T08:26:26Z","id":"1xVPNa-0001lk-1y","kind":"connection","host":"mx.slow.example","ip":"192.0.2.1","answer":"Connection refused","text":"H=mx.slow.example [192.0.2.1] Connection refused"}`},
		{`2026-11-23 08:26:26 1xVPNa-0001lk-1y H=mx.slow.example [192.0.2.1]:26: SMTP error from remote mail server after end of data: 452 4.3.1 try later`,
			`{"time":"2026-11-23T08:26:26Z","id":"1xVPNa-0001lk-1y","kind":"connection","host":"mx.slow.example","ip":"192.0.2.1","port":26,"code":452,"enhanced":"4.3.1","answer":"SMTP error from remote mail server after end of data: 452 4.3.1 try later","text":"H=mx.slow.example [192.0.2.1]:26: SMTP error from remote mail server after end of data: 452 4.3.1 try later"}`},
		{`1999-03-02 09:44:33 10HmaX-0005vi-00 ten-1.test.ex [192.0.2.1] Network Error`,
			`{"time":"1999-03-02T09:44:33Z","id":"10HmaX-0005vi-00","kind":"connection","host":"ten-1.test.ex","ip":"192.0.2.1","answer":"Network Error","text":"ten-1.test.ex [192.0.2.1] Network Error"}`},
		{`2026-11-23 08:26:26 TLS error on connection from (rhu.barb) [192.0.2.1] (gnutls_handshake): The peer did not send any certificate.`,
			`{"time":"2026-11-23T08:26:26Z","kind":"tls","helo":"rhu.barb","ip":"192.0.2.1","text":"TLS error on connection from (rhu.barb) [192.0.2.1] (gnutls_handshake): The peer did not send any certificate."}`},
		{`1999-03-02 09:44:33 10HmaX-0005vi-00 [127.0.0.1] SSL verify error: depth=0 error=self signed certificate cert=/CN=x`,
			`{"time":"1999-03-02T09:44:33Z","id":"10HmaX-0005vi-00","kind":"tls","ip":"127.0.0.1","text":"[127.0.0.1] SSL verify error: depth=0 error=self signed certificate cert=/CN=x"}`},
	})
}

func TestParseRemarks(t *testing.T) {
	parsed(t, [][2]string{
		{`2026-11-23 08:26:26 1xVPNa-0001lk-1y Frozen (delivery error message)`,
			`{"time":"2026-11-23T08:26:26Z","id":"1xVPNa-0001lk-1y","kind":"frozen","text":"Frozen (delivery error message)"}`},
		{`2026-11-23 08:26:26 1xVPNa-0001lk-1y frozen by ACL`,
			`{"time":"2026-11-23T08:26:26Z","id":"1xVPNa-0001lk-1y","kind":"frozen","text":"frozen by ACL"}`},
		{`2026-11-23 08:26:26 1xVPNa-0001lk-1y Message is frozen`,
			`{"time":"2026-11-23T08:26:26Z","id":"1xVPNa-0001lk-1y","kind":"frozen","text":"Message is frozen"}`},
		{`2026-11-23 08:26:26 1xVPNa-0001lk-1y Unfrozen by forced delivery`,
			`{"time":"2026-11-23T08:26:26Z","id":"1xVPNa-0001lk-1y","kind":"thawed","text":"Unfrozen by forced delivery"}`},
		{`2026-11-23 08:26:26 1xVPNa-0001lk-1y unfrozen by root`,
			`{"time":"2026-11-23T08:26:26Z","id":"1xVPNa-0001lk-1y","kind":"thawed","text":"unfrozen by root"}`},
		{`2026-11-23 08:26:26 1xVPNa-0001lk-1y removed by root`,
			`{"time":"2026-11-23T08:26:26Z","id":"1xVPNa-0001lk-1y","kind":"removed","text":"removed by root"}`},
		{`2026-11-23 08:26:26 1xVPNa-0001lk-1y cancelled by timeout_frozen_after`,
			`{"time":"2026-11-23T08:26:26Z","id":"1xVPNa-0001lk-1y","kind":"removed","text":"cancelled by timeout_frozen_after"}`},
		{`2026-11-23 08:26:59.646 [10310] exim 4.96 daemon started: pid=10310, -q1h, listening for SMTP on [127.0.0.1]:{3525,3587}`,
			`{"time":"2026-11-23T08:26:59.646Z","kind":"daemon","pid":10310,"text":"exim 4.96 daemon started: pid=10310, -q1h, listening for SMTP on [127.0.0.1]:{3525,3587}"}`},
		{`2026-11-23 08:26:26 Start queue run: pid=1811 -qff`,
			`{"time":"2026-11-23T08:26:26Z","kind":"daemon","pid":1811,"text":"Start queue run: pid=1811 -qff"}`},
		{`2026-11-23 08:26:26 1xVPNa-0001lk-1y "rw-rcpt@far.example" from env-to rewritten as "hold@osm.test" by rule 3`,
			`{"time":"2026-11-23T08:26:26Z","id":"1xVPNa-0001lk-1y","kind":"notice","text":"\"rw-rcpt@far.example\" from env-to rewritten as \"hold@osm.test\" by rule 3"}`},
		{`2026-11-23 08:26:26 1xVPNa-0001lk-1y OSM HOLD 1xVPNa-0001lk-1y: stolen-login new-recipients`,
			`{"time":"2026-11-23T08:26:26Z","id":"1xVPNa-0001lk-1y","kind":"notice","text":"OSM HOLD 1xVPNa-0001lk-1y: stolen-login new-recipients"}`},
		{`2026-11-23 08:26:26 1xVPNa-0001lk-1y Spool file is locked (another process is handling this message)`,
			`{"time":"2026-11-23T08:26:26Z","id":"1xVPNa-0001lk-1y","kind":"notice","text":"Spool file is locked (another process is handling this message)"}`},
		{`2026-11-23 08:26:26 1xVPNa-0001lk-1y no immediate delivery: queued by ACL`,
			`{"time":"2026-11-23T08:26:26Z","id":"1xVPNa-0001lk-1y","kind":"notice","text":"no immediate delivery: queued by ACL"}`},
		{`2026-11-23 08:26:26 H=(multi.example) [127.0.0.1]:3 Warning: warned domain used`,
			`{"time":"2026-11-23T08:26:26Z","kind":"notice","helo":"multi.example","ip":"127.0.0.1","port":3,"text":"H=(multi.example) [127.0.0.1]:3 Warning: warned domain used"}`},
		{`2026-11-23 08:26:26 custom logwrite line rcpt=w@warned.example`,
			`{"time":"2026-11-23T08:26:26Z","kind":"notice","text":"custom logwrite line rcpt=w@warned.example"}`},
		{`2026-11-23 08:27:27.982 -0500 [12442] 1xVPOZ-0003Eg-3A 1xVPOZ-0003Eg-3A no recipients found in headers`,
			`{"time":"2026-11-23T08:27:27.982-05:00","id":"1xVPOZ-0003Eg-3A","kind":"notice","pid":12442,"text":"1xVPOZ-0003Eg-3A no recipients found in headers"}`},
		{`2026-11-23 08:26:26 1xVPNa-0001lk-1y =~ a flag of the future`,
			`{"time":"2026-11-23T08:26:26Z","id":"1xVPNa-0001lk-1y","kind":"unknown","text":"=~ a flag of the future"}`},
		{`2026-11-23 08:26:26 1xVPNa-0001lk-1y <= `,
			`{"time":"2026-11-23T08:26:26Z","id":"1xVPNa-0001lk-1y","kind":"unknown"}`},
		{`2026-11-23 08:26:26 1xVPNa-0001lk-1y => `,
			`{"time":"2026-11-23T08:26:26Z","id":"1xVPNa-0001lk-1y","kind":"unknown"}`},
	})
}

func TestParseOtherForms(t *testing.T) {
	parsed(t, [][2]string{
		{`Nov 23 08:42:19 vm exim[4514]: 2026-11-23 08:42:19 1xVPcx-0001Ao-35 <= alice@osm.test U=alice P=local S=321 T="tab#011here" for x11@far.example`,
			`{"time":"2026-11-23T08:42:19Z","id":"1xVPcx-0001Ao-35","kind":"arrival","pid":4514,"sender":"alice@osm.test","recipients":["x11@far.example"],"protocol":"local","user":"alice","size":321,"subject":"tab#011here"}`},
		{`Nov 23 08:38:12 mx exim-out[24940]: [1\13] [24940] 1xVPYy-0006UG-1i H=(multi.example) [127.0.0.1]:55680 F=<alice@osm.test> rejected after DATA: OSM: spam`,
			`{"time":"2026-11-23T08:38:12Z","id":"1xVPYy-0006UG-1i","kind":"rejection","pid":24940,"phase":"DATA","sender":"alice@osm.test","helo":"multi.example","ip":"127.0.0.1","port":55680,"answer":"OSM: spam","text":"H=(multi.example) [127.0.0.1]:55680 F=<alice@osm.test> rejected after DATA: OSM: spam"}`},
		{`Nov 23 08:38:12 mx exim-out[24940]: [2\13] Envelope-from: <alice@osm.test>`,
			`{"time":"2026-11-23T08:38:12Z","kind":"notice","pid":24940,"text":"Envelope-from: <alice@osm.test>"}`},
		{`<22>2026-11-23T09:42:18.123456+01:00 mx.osm.test exim4[4429]: 1xVPcx-0001Ao-35 Completed`,
			`{"time":"2026-11-23T09:42:18.123+01:00","id":"1xVPcx-0001Ao-35","kind":"completed","pid":4429}`},
		{`Nov 23 08:42:19 vm sshd[4514]: Accepted publickey for root from 192.0.2.1 port 4 ssh2`,
			`{"kind":"unknown","text":"Nov 23 08:42:19 vm sshd[4514]: Accepted publickey for root from 192.0.2.1 port 4 ssh2"}`},
		{`	by mx.osm.test with esmtp (Exim 4.96)`,
			`{"kind":"notice","text":"\tby mx.osm.test with esmtp (Exim 4.96)"}`},
		{`P Received: from [127.0.0.1] (port=40806 helo=multi.example)`,
			`{"kind":"notice","text":"P Received: from [127.0.0.1] (port=40806 helo=multi.example)"}`},
		{`Envelope-from: <alice@osm.test>`,
			`{"kind":"notice","text":"Envelope-from: <alice@osm.test>"}`},
		{`something else entirely`,
			`{"kind":"unknown","text":"something else entirely"}`},
	})
}

// Keep and Skim change nothing but what they say.
func TestKeepAndSkim(t *testing.T) {
	plain, other := NewParser(nil), NewParser(nil)
	other.Keep, other.Skim = true, true
	var want, got Entry
	for _, line := range append(generate(200, true), "2026-11-23 08:27:00 SMTP connection from [192.0.2.1]:4711 lost D=1s",
		"2026-11-23 08:27:00 [7] 1xVPOi-000315-08 <= <> R=1xVPOi-000315-07 U=exim P=local S=300 for \"a b\"@osm.test", "nonsense", "") {
		plain.Parse(line, &want)
		other.Parse(line, &got)
		if kept := want.Kind == Arrival; got.Kept != kept || kept && unsafe.StringData(got.Line) == unsafe.StringData(line) {
			t.Errorf("%q is kept: %v", line, got.Kept)
		}
		if got.Kept = false; want.Kind == Connection {
			want.Host, want.IP, want.Helo, want.Port = got.Host, got.IP, got.Helo, got.Port
		}
		if want.Head != got.Head || want.Fields != got.Fields {
			t.Errorf("%q:\n%+v\nwant\n%+v", line, got, want)
		}
	}
}
