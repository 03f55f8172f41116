package enrich

import (
	"strings"
	"testing"

	"osm"
)

const (
	rcpt = "SMTP error from remote mail server after RCPT TO:<victim@there.example>: "
	data = "SMTP error from remote mail server after end of data: "
	mail = "SMTP error from remote mail server after pipelined MAIL FROM:<shop@here.example> SIZE=1383: "
	conn = "SMTP error from remote mail server after initial connection: "
)

// What receivers write, as it stands in Exim's log, and what it means. Addresses and hosts are made up.
var refusals = []struct {
	want osm.Refusal
	text string
}{
	// Gmail
	{osm.NoSuchUser, rcpt + "550-5.1.1 The email account that you tried to reach does not exist. Please try\n550-5.1.1 double-checking the recipient's email address for typos or\n550-5.1.1 unnecessary spaces. For more information, go to\n550 5.1.1  https://support.google.com/mail/?p=NoSuchUser q8-20020a - gsmtp"},
	{osm.NoSuchUser, rcpt + "550-5.2.1 The email account that you tried to reach is inactive. For more\n550 5.2.1 information, go to https://support.google.com/mail/?p=DisabledUser - gsmtp"},
	{osm.MailboxFull, rcpt + "452-4.2.2 The recipient's inbox is out of storage space. Please direct the\n452-4.2.2 recipient to\n452 4.2.2  https://support.google.com/mail/?p=OverQuotaTemp - gsmtp"},
	{osm.MailboxFull, rcpt + "552-5.2.2 The email account that you tried to reach is over quota and inactive. - gsmtp"},
	{osm.Spam, data + "550-5.7.1 [192.0.2.7      12] Our system has detected that this message is\n550-5.7.1 likely unsolicited mail. To reduce the amount of spam sent to Gmail,\n550-5.7.1 this message has been blocked. Please visit\n550 5.7.1  https://support.google.com/mail/?p=UnsolicitedMessageError - gsmtp"},
	{osm.Spam, data + "421-4.7.0 This message is suspicious due to the nature of the content and/or\n421-4.7.0 the links within. To best protect our users from spam, the message has been blocked. - gsmtp"},
	{osm.Spam, data + "550-5.7.1 [192.0.2.7] Our system has detected that this message is likely\n550-5.7.1 suspicious due to the very low reputation of the sending domain. - gsmtp"},
	{osm.Listed, data + "550-5.7.1 [192.0.2.7] Our system has detected that this message is likely\n550-5.7.1 suspicious due to the very low reputation of the sending IP address. To best\n550 5.7.1 protect our users from spam, the message has been blocked. - gsmtp"},
	{osm.RateLimited, data + "421-4.7.28 Gmail has detected an unusual rate of unsolicited mail originating\n421-4.7.28 from your IP address. To protect our users from spam, mail sent from your\n421-4.7.28 IP address has been temporarily rate limited. For more information, go to\n421 4.7.28  https://support.google.com/mail/?p=UnsolicitedRateLimitError - gsmtp"},
	{osm.RateLimited, rcpt + "450-4.2.1 The user you are trying to contact is receiving mail at a rate that\n450-4.2.1 prevents additional messages from being delivered. - gsmtp"},
	{osm.RateLimited, rcpt + "450-4.2.1 The user you are trying to contact is receiving mail too quickly. - gsmtp"},
	{osm.Policy, data + "550-5.7.26 Unauthenticated email from here.example is not accepted due to domain's\n550-5.7.26 DMARC policy. Please contact the administrator of here.example domain. - gsmtp"},
	{osm.Policy, data + "421-4.7.26 Your email has been rate limited because it is unauthenticated. Gmail\n421-4.7.26 requires all senders to authenticate with either SPF or DKIM. - gsmtp"},
	{osm.Policy, data + "552-5.7.0 This message was blocked because its content presents a potential\n552 5.7.0 security issue. Please visit https://support.google.com/mail/?p=BlockedMessage - gsmtp"},
	{osm.Policy, data + "552-5.3.4 Your message exceeded Google's message size limits. - gsmtp"},
	// Microsoft: Outlook.com and Exchange Online
	{osm.Listed, mail + "550 5.7.1 Unfortunately, messages from [192.0.2.7] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3150). You can also refer your provider to http://mail.live.com/mail/troubleshooting.aspx#errors. [AM7EUR06FT043.eop-eur06.prod.protection.outlook.com]"},
	{osm.Listed, mail + "550 5.7.1 Unfortunately, messages from [192.0.2.7] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3140)."},
	{osm.Listed, mail + "550 5.7.606 Access denied, banned sending IP [192.0.2.7]. To request removal from this list please visit https://sender.office.com/ (AS16012609)"},
	{osm.Listed, mail + "550 5.7.511 Access denied, banned sender[192.0.2.7]. To request removal from this list please forward this message to delist@messaging.microsoft.com. (AS16012609)"},
	{osm.Listed, rcpt + "550 5.7.1 Service unavailable, Client host [192.0.2.7] blocked using Spamhaus. To request removal from this list see https://www.spamhaus.org/query/ip/192.0.2.7 (AS16012609)"},
	{osm.Listed, conn + "550 5.7.708 Service unavailable. Access denied, traffic not accepted from this IP. For more information please go to http://go.microsoft.com/fwlink/?LinkId=526653 AS(7230)"},
	{osm.RateLimited, mail + "451 4.7.650 The mail server [192.0.2.7] has been temporarily rate limited due to IP reputation. For e-mail delivery information, see https://postmaster.live.com (S775)"},
	{osm.RateLimited, mail + "451 4.7.500 Server busy. Please try again later from [192.0.2.7]. (AS77712114)"},
	{osm.RateLimited, conn + "421 4.3.2 The maximum number of concurrent server connections has exceeded a per-source limit, closing transmission channel"},
	{osm.RateLimited, mail + "421 RP-001 (BAY004-MC1F7) Unfortunately, some messages from 192.0.2.7 weren't sent. Please try again. We have limits for how many messages can be sent per hour and per day."},
	{osm.NoSuchUser, rcpt + "550 5.4.1 Recipient address rejected: Access denied. AS(201806281) [DB3EUR04FT007.eop-eur04.prod.protection.outlook.com]"},
	{osm.NoSuchUser, rcpt + "550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient victim@there.example not found by SMTP address lookup"},
	{osm.NoSuchUser, rcpt + "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302)."},
	{osm.MailboxFull, data + "554 5.2.2 mailbox full; STOREDRV.Deliver.Exception:QuotaExceededException.MapiExceptionShutoffQuotaExceeded"},
	{osm.Spam, data + "550 5.7.520 Message blocked because it contains content identified as spam. AS(4810)"},
	{osm.Spam, rcpt + "550 5.7.501 Service unavailable. Access denied, spam abuse detected from this sending network. AS(1430)"},
	{osm.Policy, data + "550 5.7.1 TRANSPORT.RULES.RejectMessage; the message was rejected by organization policy"},
	{osm.Policy, rcpt + "550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required; Delivery restriction check failed because the sender was not authenticated"},
	{osm.Policy, data + "550 5.7.509 Access denied, sending domain here.example does not pass DMARC verification and has a DMARC policy of reject."},
	// Yahoo and AOL
	{osm.RateLimited, mail + "421 4.7.0 [TSS04] Messages from 192.0.2.7 temporarily deferred due to unexpected volume or user complaints - 4.16.55.1; see https://postmaster.yahooinc.com/error-codes"},
	{osm.Spam, mail + "553 5.7.2 [TSS09] All messages from 192.0.2.7 will be permanently deferred; Retrying will NOT succeed. See https://postmaster.yahooinc.com/error-codes"},
	{osm.Listed, conn + "553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.7, because the ip is in Spamhaus's list; see http://postmaster.yahoo.com/550-bl23.html"},
	{osm.NoSuchUser, data + "554 delivery error: dd This user doesn't have a yahoo.com account (victim@there.example) [0] - mta1234.mail.bf1.yahoo.com"},
	{osm.NoSuchUser, data + "554 30 Sorry, your message to victim@there.example cannot be delivered. This mailbox is disabled (554.30)."},
	{osm.NoSuchUser, data + "552 1 Requested mail action aborted, mailbox not found"},
	{osm.Policy, data + "554 Message not allowed - [PH01] Email not accepted for policy reasons. Please visit https://postmaster.yahooinc.com/error-codes"},
	{osm.Policy, data + "550 5.7.9 This mail has been blocked because the sender is unauthenticated. Yahoo requires all senders to authenticate with either SPF or DKIM."},
	{osm.MailboxFull, data + "552 5.2.2 user's mailbox over quota"},
	// Apple
	{osm.Policy, data + "554 5.7.1 [CS01] Message rejected due to local policy. Please visit https://support.apple.com/en-us/HT204137"},
	{osm.Listed, rcpt + "550 5.7.1 Mail from IP 192.0.2.7 was rejected due to listing in Spamhaus SBL. For details please see http://www.spamhaus.org/query/bl?ip=192.0.2.7"},
	{osm.Spam, data + "550 5.7.1 Your email was rejected due to having a domain present in the Spamhaus DBL -- see https://www.spamhaus.org/dbl/"},
	{osm.MailboxFull, rcpt + "552 5.2.2 <victim@there.example>: user is over quota"},
	{osm.NoSuchUser, rcpt + "550 5.1.1 unknown or illegal alias: victim@there.example"},
	{osm.RateLimited, mail + "421 4.7.1 Messages to victim@there.example deferred due to excessive volume. Try again later - https://support.apple.com/en-us/HT204137"},
	// GMX, web.de, T-Online
	{osm.Policy, data + "554-Transaction failed\n554-Reject due to policy restrictions.\n554 For explanation visit https://postmaster.gmx.net/en/case?c=r0103&i=ip&v=192.0.2.7&r=1M9"},
	{osm.Policy, conn + "554-gmx.net (mxgmx116) Nemesis ESMTP Service not available\n554-No SMTP service\n554-Bad DNS PTR resource record.\n554 For explanation visit https://postmaster.gmx.net/en/case?c=r0302"},
	{osm.Listed, conn + "554-web.de (mxweb011) Nemesis ESMTP Service not available\n554-No SMTP service\n554-IP address is block listed.\n554 For explanation visit https://postmaster.web.de/en/case?c=r0601"},
	{osm.RateLimited, conn + "421-gmx.net (mxgmx016) Nemesis ESMTP Service not available\n421-Service unavailable\n421-Rate limit reached. Please try again later\n421 For explanation visit https://postmaster.gmx.net"},
	{osm.NoSuchUser, rcpt + "550 Requested action not taken: mailbox unavailable"},
	{osm.MailboxFull, rcpt + "552-Requested mail action aborted: exceeded storage allocation\n552-Quota exceeded.\n552 For explanation visit https://postmaster.web.de"},
	{osm.Listed, conn + "554 IP=192.0.2.7 - A problem occurred. (Ask your postmaster for help or to contact tosa@rx.t-online.de to clarify.) (BL)"},
	{osm.Listed, conn + "554 IP=192.0.2.7 - None/bad reputation. Ask your postmaster for help or to contact tosa@rx.t-online.de for reset. (NOWL)"},
	{osm.Spam, data + "550-5.7.0 Message considered as spam or virus, rejected\n550 5.7.0 Message rejected because it was considered as spam."},
	{osm.MailboxFull, rcpt + "552 5.2.2 <victim@there.example> Quota exceeded (mailbox for user is full)"},
	// Orange, Free, La Poste
	{osm.Spam, data + "550 5.2.0 Mail rejete. Mail rejected. ofr_506 [506]"},
	{osm.RateLimited, conn + "421 mwinf5c04 ME Trop de connexions, veuillez verifier votre configuration. Too many connections, slow down. OFR004_104 [104]"},
	{osm.NoSuchUser, rcpt + "550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. OFR_416 [416]"},
	{osm.MailboxFull, rcpt + "552 5.1.1 Boite du destinataire pleine. Recipient overquota. OFR_417 [417]"},
	{osm.Listed, conn + "550 mwinf5c04 ME Adresse IP source bloquee pour incident de spam. Client host blocked for spamming issues. OFR006_102 Ref http://csi.cloudmark.com"},
	{osm.Greylisted, conn + "421 mwinf5c77 ME Service refuse. Veuillez essayer plus tard. Service refused, please try later. OFR_999 [999]"},
	{osm.Listed, conn + "421 Too many spams from your IP (192.0.2.7), please visit http://postmaster.free.fr/"},
	// Comcast, Cox, Charter, AT&T
	{osm.Listed, conn + "554 resimta-h1p-037598.sys.comcast.net comcast 192.0.2.7 Comcast block for spam. Please see https://postmaster.comcast.net/smtp-error-codes.php#BL000001"},
	{osm.RateLimited, mail + "421 resimta-po-01v.sys.comcast.net comcast Throttled - please see https://postmaster.comcast.net/smtp-error-codes.php#RL000001"},
	{osm.NoSuchUser, rcpt + "550 5.1.1 Not our Customer"},
	{osm.Listed, rcpt + "553 5.3.0 flpd568 DNSBL:RBL 521< 192.0.2.7 >_is_blocked.For assistance forward this error to abuse_rbl@abuse-att.net"},
	{osm.Policy, conn + "550 5.7.1 Connections not accepted from servers without a valid sender domain.flph844 Fix reverse DNS for 192.0.2.7"},
	{osm.Listed, conn + "554 mcc-ibgw-6001a.ext.cloudfilter.net cmsmtp [192.0.2.7] is listed on Cloudmark CSI-Global. Please visit https://csi.cloudmark.com/en/reset AUP#RBL"},
	// Zoho, QQ, mail.ru, Yandex
	{osm.NoSuchUser, rcpt + "550 5.1.1 User does not exist - <victim@there.example>"},
	{osm.Spam, data + "554 5.7.1 Email cannot be delivered. Reason: Email detected as Spam by spam filters"},
	{osm.RateLimited, rcpt + "550 5.4.6 Unusual sending activity detected. Please try after sometime"},
	{osm.Spam, data + "550 Mail content denied. http://service.mail.qq.com/cgi-bin/help?subtype=1&&id=20022&&no=1000726"},
	{osm.RateLimited, conn + "550 Connection frequency limited. http://service.mail.qq.com/cgi-bin/help?id=20022"},
	{osm.NoSuchUser, rcpt + "550 Message was not accepted -- invalid mailbox.  Local mailbox victim@there.example is unavailable: user not found"},
	{osm.Spam, data + "550 spam message rejected. Please visit http://help.mail.ru/notspam-support/id?c=abc or report details"},
	{osm.Spam, data + "554 5.7.1 [2] Message rejected under suspicion of SPAM; https://ya.cc/1IrBc 1700000000-abc"},
	// Proofpoint, Mimecast, Barracuda, Cisco
	{osm.Listed, conn + "554 Blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.7"},
	{osm.Listed, conn + "550 5.7.0 Blocked - see https://support.proofpoint.com/dnsbl-lookup.cgi?ip=192.0.2.7"},
	{osm.Spam, data + "554 5.7.1 The message from (<shop@here.example>) with the subject of (Hello) matches a profile the Internet community may consider spam. Please revise your message before resending."},
	{osm.NoSuchUser, rcpt + "550 Invalid Recipient - https://community.mimecast.com/docs/DOC-1369#550 [nXfgzTTdOqKb1TlKqKvQ2g.uk165]"},
	{osm.Policy, data + "554 Email rejected due to security policies - https://community.mimecast.com/docs/DOC-1369#554"},
	{osm.Greylisted, rcpt + "451 Internal resources are temporarily unavailable - https://community.mimecast.com/docs/DOC-1369#451"},
	{osm.Listed, rcpt + "550 csi.mimecast.org Poor Reputation Sender. - https://community.mimecast.com/docs/DOC-1369#550"},
	{osm.Policy, rcpt + "550 Administrative prohibition - envelope blocked - https://community.mimecast.com/docs/DOC-1369#550"},
	{osm.Policy, data + "550 Rejected by header based Anti-Spoofing policy: shop@here.example - https://community.mimecast.com/docs/DOC-1369#550"},
	{osm.Listed, conn + "554 Service unavailable; Client host [mail.here.example] blocked using Barracuda Reputation; http://www.barracudanetworks.com/reputation/?r=1&ip=192.0.2.7"},
	{osm.Spam, data + "554 rejecting banned content"},
	{osm.NoSuchUser, rcpt + "550 permanent failure for one or more recipients (victim@there.example:550 5.1.1 User unknown)"},
	{osm.Listed, conn + "554-mx1.hc1234-56.iphmx.com\n554 Your access to this mail system has been rejected due to the sending MTA's poor reputation. If you believe that this failure is in error, please contact the intended recipient via alternate means."},
	{osm.NoSuchUser, rcpt + "550 #5.1.0 Address rejected."},
	{osm.RateLimited, conn + "421 #4.4.5 Too many connections from your host."},
	{osm.Policy, mail + "550 #5.7.1 Your access to submit messages to this e-mail system has been rejected."},
	{osm.RateLimited, rcpt + "452 Too many recipients received this hour"},
	// Block lists in the words of Postfix, Exim, Sendmail
	{osm.Listed, rcpt + "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/192.0.2.7"},
	{osm.Listed, rcpt + "554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using bl.spamcop.net; Blocked - see https://www.spamcop.net/bl.shtml?192.0.2.7"},
	{osm.Listed, rcpt + "550 5.7.1 Rejected: 192.0.2.7 listed at dnsbl.sorbs.net"},
	{osm.Listed, rcpt + "550 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using dnsbl-1.uceprotect.net; IP 192.0.2.7 is UCEPROTECT-Level 1 listed. See http://www.uceprotect.net/rblcheck.php?ipr=192.0.2.7"},
	{osm.Listed, rcpt + "550 rejected because 192.0.2.7 is in a black list at b.barracudacentral.org"},
	{osm.Listed, rcpt + "550 \"JunkMail rejected - mail.here.example [192.0.2.7]:39284 is in an RBL: https://www.spamhaus.org/query/ip/192.0.2.7\""},
	{osm.Listed, conn + "554 5.7.1 mx.there.example: see http://psbl.org/listing?ip=192.0.2.7"},
	// cPanel, rspamd, SpamAssassin, amavis
	{osm.NoSuchUser, rcpt + "550 No Such User Here"},
	{osm.Spam, data + "550 \"The mail server detected your message as spam and has prevented delivery.\""},
	{osm.Policy, rcpt + "550-Please turn on SMTP Authentication in your mail client.\n550-mail.here.example [192.0.2.7]:39284 is not permitted to relay through this\n550 server without authentication."},
	{osm.Policy, rcpt + "550-Verification failed for <shop@here.example>\n550-No Such User Here\n550 Sender verify failed"},
	{osm.RateLimited, "Domain here.example has exceeded the max emails per hour (150/150 (100%)) allowed.  Message will be reattempted later"},
	{osm.RateLimited, "Domain here.example has exceeded the max defers and failures per hour (5/5 (100%)) allowed.  Message discarded."},
	{osm.Spam, data + "554 5.7.1 Spam message rejected"},
	{osm.Spam, data + "554 5.7.1 Gtube pattern"},
	{osm.RateLimited, data + "451 4.7.1 Ratelimit \"bounce_to_ip\" exceeded"},
	{osm.Greylisted, data + "451 4.7.1 Try again later"},
	{osm.Spam, data + "550 This message scored 12.3 spam points."},
	{osm.Spam, data + "550 5.7.1 Blocked by SpamAssassin"},
	{osm.Spam, data + "554 5.7.0 Reject, id=12345-06 - SPAM"},
	{osm.Spam, data + "550 5.7.1 This email contains a virus: Eicar-Test-Signature"},
	// Postfix
	{osm.NoSuchUser, rcpt + "550 5.1.1 <victim@there.example>: Recipient address rejected: User unknown in virtual mailbox table"},
	{osm.NoSuchUser, rcpt + "450 4.1.1 <victim@there.example>: Recipient address rejected: unverified address: Address verification in progress"},
	{osm.NoSuchUser, rcpt + "550 5.1.1 <victim@there.example>: Recipient address rejected: undeliverable address: host 10.0.0.1 said: 550 no"},
	{osm.Greylisted, rcpt + "450 4.2.0 <victim@there.example>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/there.example.html"},
	{osm.Greylisted, rcpt + "451 4.7.1 greylisted, try again later"},
	{osm.Policy, rcpt + "554 5.7.1 <victim@there.example>: Relay access denied"},
	{osm.Policy, rcpt + "450 4.7.1 Client host rejected: cannot find your hostname, [192.0.2.7]"},
	{osm.Policy, rcpt + "450 4.1.8 <shop@here.example>: Sender address rejected: Domain not found"},
	{osm.NoSuchUser, rcpt + "450 4.1.2 <victim@there.example>: Recipient address rejected: Domain not found"},
	{osm.Policy, rcpt + "550 5.7.23 <victim@there.example>: Recipient address rejected: Message rejected due to: SPF fail - not authorized."},
	{osm.Policy, rcpt + "554 5.7.1 <mail.here.example[192.0.2.7]>: Client host rejected: Access denied"},
	{osm.MailboxFull, rcpt + "452 4.2.2 <victim@there.example>: Recipient address rejected: Mailbox is full / Blocks limit exceeded / Inode limit exceeded"},
	{osm.Other, mail + "452 4.3.1 Insufficient system storage"},
	{osm.Policy, mail + "552 5.3.4 Message size exceeds fixed limit"},
	{osm.Connection, data + "421 4.4.2 mx.there.example Error: timeout exceeded"},
	// Sendmail, qmail, Exchange
	{osm.NoSuchUser, rcpt + "550 5.1.1 <victim@there.example>... User unknown"},
	{osm.Policy, mail + "553 5.1.8 <shop@here.example>... Domain of sender address shop@here.example does not exist"},
	{osm.Policy, rcpt + "550 5.7.1 <victim@there.example>... Relaying denied. Proper authentication required."},
	{osm.RateLimited, conn + "421 4.3.2 Connection rate limit exceeded."},
	{osm.Other, mail + "452 4.4.5 Insufficient disk space; try again later"},
	{osm.NoSuchUser, rcpt + "511 sorry, no mailbox here by that name (#5.1.1 - chkuser)"},
	{osm.Policy, rcpt + "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"},
	{osm.Spam, data + "550 5.7.1 Message rejected as spam by Content Filtering."},
	// Exim's own words
	{osm.NoSuchUser, "Unrouteable address"},
	{osm.NoSuchUser, "Unknown user"},
	{osm.NoSuchUser, "an MX or SRV record indicated no SMTP service"},
	{osm.Connection, "Connection refused"},
	{osm.Connection, "Connection timed out"},
	{osm.Connection, "No route to host"},
	{osm.Connection, "retry time not reached for any host for 'there.example'"},
	{osm.Connection, "all relevant MX records point to non-existent hosts"},
	{osm.Connection, "host lookup did not complete"},
	{osm.Connection, "lowest numbered MX record points to local host"},
	{osm.Connection, "a TLS session is required, but the server did not offer TLS support"},
	{osm.Connection, "Remote host closed connection in response to pipelined MAIL FROM:<shop@here.example>"},
	{osm.Connection, "SMTP timeout after initial connection"},
	{osm.MailboxFull, "mailbox is full (MTA-imposed quota exceeded while writing to tmp/1700000000.H1P2.host)"},
	{osm.Other, "Child process of pipe_t transport returned 1 from command: /bin/false"},
	{osm.Other, "Child process of ut2 transport returned 127 (could mean unable to exec or command does not exist) from command: /x"},
	{osm.Other, "error in redirect data: included files not permitted"},
	{osm.Other, "deferred by router"},
	{osm.Greylisted, rcpt + "451 4.7.1 greylisted: retry timeout exceeded"},
	// No words at all
	{osm.NoSuchUser, rcpt + "550 no"},
	{osm.Policy, data + "550 no"},
	{osm.Policy, data + "554 5.7.1 no"},
	{osm.MailboxFull, rcpt + "552 5.2.2 no"},
	{osm.Greylisted, rcpt + "450 later"},
	{osm.Connection, conn + "421 closing"},
	{osm.Other, data + "500 what"},
	{osm.Other, ""},
}

func TestRefusals(t *testing.T) {
	c := newClassifier()
	for _, r := range refusals {
		if got := c.kind(r.text, [2]string{"there.example", "here.example"}); got != r.want {
			t.Errorf("%s, want %s:\n%s", got, r.want, r.text)
		}
	}
	t.Logf("%d texts", len(refusals))
}

// Addresses and domains are chosen by strangers and must not speak for the receiver.
func TestRefusalIsNotFooled(t *testing.T) {
	c := newClassifier()
	for _, address := range []string{"spam@blocklist.example", "user-unknown@there.example", "x@spamhaus.org", "x@mailbox-full.example",
		`"mailbox full"@there.example`, `"a> rate limit <b"@there.example`, `": 250 spam \" >"@there.example`, "greylisted@zen.spamhaus.org",
		`"550 5.2.2: mailbox full"@there.example`, "over.quota+rate_limit=slow-down@spamcop.net"} {
		domain := strings.ToLower(address[strings.LastIndexByte(address, '@')+1:])
		for text, want := range map[string]osm.Refusal{
			"550 5.1.1 <ADDRESS>: Recipient address rejected: User unknown": osm.NoSuchUser,
			"554 5.7.1 <ADDRESS>: Relay access denied":                      osm.Policy,
			"550 5.7.1 ADDRESS is refused here":                             osm.Policy,
			"550-5.7.1 ADDRESS\n550 5.7.1 is refused here":                  osm.Policy,
			"451 4.7.1 <ADDRESS>: not now (DOMAIN)":                         osm.Greylisted,
			"550 5.2.2 DOMAIN: no":                                          osm.MailboxFull,
		} {
			text = strings.NewReplacer("ADDRESS", address, "DOMAIN", domain).Replace(text)
			text = "SMTP error from remote mail server after RCPT TO:<" + address + ">: " + text
			if got := c.kind(text, [2]string{domain, "here.example"}); got != want {
				t.Errorf("%s, want %s: %s", got, want, text)
			}
		}
	}
}

// A reply of a megabyte that is all brackets, or quotes, is not read a million times: the test would not end in time.
func TestReplyOfBrackets(t *testing.T) {
	c := newClassifier()
	for _, one := range []string{"<", "\"", "<\"", "\"\\", "<a@"} {
		text := strings.Repeat(one, 1<<20/len(one))
		for _, before := range []string{"550 ", "SMTP error from remote mail server after RCPT TO:<"} {
			if got := c.kind(before+text, [2]string{"there.example", "here.example"}); got == osm.NotRefused {
				t.Errorf("%q and many %q: %s", before, one, got)
			}
		}
	}
}

func TestPhrases(t *testing.T) {
	p := newPhrases([][]string{{"user unknown"}, {"unknown*"}, {"know"}, {"a b", "b c"}})
	for text, want := range map[string]uint16{
		"User-Unknown":       0,
		"the user unknown.":  0,
		"user unknowns":      1,
		"unknownst to us":    1,
		"I know":             2,
		"I knew":             none,
		"user  (unknown)":    0,
		"user unknow":        none,
		"a a b c":            3,
		"user user unknown":  0,
		"xuser unknown":      1,
		"unknow unknown":     1,
		"":                   none,
		"user unkno user un": none,
	} {
		s := search{row: none}
		s.feed(p, space)
		for i := range len(text) {
			s.feed(p, symbol(text[i]))
		}
		s.feed(p, space)
		if s.row != want {
			t.Errorf("%q: row %d, want %d", text, s.row, want)
		}
	}
}

func FuzzRefusal(f *testing.F) {
	for _, r := range refusals {
		f.Add(r.text, "victim")
	}
	c := newClassifier()
	f.Fuzz(func(t *testing.T, text, local string) {
		own := [2]string{"there.example", "here.example"}
		k := c.kind(text, own)
		if k == osm.NotRefused || k > osm.Other {
			t.Errorf("kind %d", k)
		}
		c.replies.known = newMemo() // what is remembered is what is found
		if again := c.kind(text, own); again != k {
			t.Errorf("%s, and without memory %s", k, again)
		}
		// An address before a reply never changes what the reply means.
		if strings.ContainsAny(local, "<>\"\\\n@ ") || strings.Contains(text, "error from remote") || text == "" || strings.Contains(text, "LMTP") {
			return
		}
		with := "SMTP error from remote mail server after RCPT TO:<" + local + "@there.example>: 550 "
		if a, b := c.kind(with+text, own), c.kind(strings.Replace(with, local+"@", "x@", 1)+text, own); a != b {
			t.Errorf("%q is %s after one address and %s after another", text, a, b)
		}
	})
}

func BenchmarkRefusal(b *testing.B) {
	c := newClassifier()
	b.ReportAllocs()
	for i := range b.N {
		c.kind(refusals[i%len(refusals)].text, [2]string{"there.example", "here.example"})
	}
}
