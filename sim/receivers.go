package sim

import (
	"fmt"
	"strings"
	"time"

	"osm"
)

// mood is how receivers take a mailing.
type mood struct {
	dead  float64 // share of addresses that do not exist
	spam  float64 // share refused as spam once the receivers know it
	onset float64 // messages a receiver takes before it refuses half of that
}

var (
	ordinary = mood{dead: 0.003, spam: 0.0002}
	typed    = mood{dead: 0.012, spam: 0.0005} // addresses that visitors typed into a form
)

// dead tells whether an address does not exist: the same answer whenever it is asked.
func dead(address string, share float64) bool { return unit(hashOf(address)) < share }

// receiver is a kind of receiving server, with its own words.
type receiver uint8

const (
	google receiver = iota
	microsoft
	yahoo
	postfix
	greylister
	hosted // another Exim
	receivers
)

// receiverOf says who receives for a domain: the free mail services by name, all others by chance but for good.
func receiverOf(domain string) receiver {
	switch {
	case domain == "gmail.com":
		return google
	case strings.HasPrefix(domain, "hotmail."), strings.HasPrefix(domain, "outlook."), strings.HasPrefix(domain, "live."):
		return microsoft
	case strings.HasPrefix(domain, "yahoo."), domain == "aol.com", domain == "btinternet.com":
		return yahoo
	}
	switch u := unit(hashOf(domain) ^ 0x5bd1); {
	case u < 0.15:
		return google
	case u < 0.37:
		return microsoft
	case u < 0.72:
		return postfix
	case u < 0.82:
		return greylister
	default:
		return hosted
	}
}

// answer is what a receiver says: reply code, enhanced code and text. %s is the recipient.
type answer struct {
	refusal osm.Refusal
	code    int
	status  string
	text    string
	atData  bool // said after the end of data, not after RCPT
}

var answers = [receivers]map[osm.Refusal][]answer{
	google: {
		osm.NoSuchUser:  {{code: 550, status: "5.1.1", text: "550-5.1.1 The email account that you tried to reach does not exist. Please try\\n550-5.1.1 double-checking the recipient's email address for typos or\\n550-5.1.1 unnecessary spaces. For more information, go to\\n550 5.1.1  https://support.google.com/mail/?p=NoSuchUser 5b1f17b1804b1-4a - gsmtp"}},
		osm.Spam:        {{code: 550, status: "5.7.1", atData: true, text: "550-5.7.1 [203.0.113.25      12] Our system has detected that this message is\\n550-5.7.1 likely unsolicited mail. To reduce the amount of spam sent to Gmail,\\n550-5.7.1 this message has been blocked. For more information, go to\\n550 5.7.1  https://support.google.com/mail/?p=UnsolicitedMessageError 4fb4d7f4 - gsmtp"}},
		osm.Listed:      {{code: 550, status: "5.7.1", atData: true, text: "550-5.7.1 [203.0.113.25      19] Our system has detected that this message is\\n550-5.7.1 likely suspicious due to the very low reputation of the sending IP\\n550-5.7.1 address. For more information, go to\\n550 5.7.1 https://support.google.com/mail/answer/188131 a640c23a62f3a - gsmtp"}},
		osm.RateLimited: {{code: 421, status: "4.7.28", atData: true, text: "421-4.7.28 Gmail has detected an unusual rate of unsolicited mail originating\\n421-4.7.28 from your IP address. To protect our users from spam, mail sent from\\n421-4.7.28 your IP address has been temporarily rate limited. For more\\n421 4.7.28 information, go to https://support.google.com/mail/?p=UnsolicitedRateLimitError - gsmtp"}},
		osm.Policy:      {{code: 550, status: "5.7.26", atData: true, text: "550-5.7.26 Your email has been blocked because the sender is unauthenticated.\\n550 5.7.26  https://support.google.com/mail/answer/81126#authentication - gsmtp"}},
		osm.MailboxFull: {{code: 452, status: "4.2.2", text: "452-4.2.2 The recipient's inbox is out of storage space. Please direct the\\n452 4.2.2 recipient to https://support.google.com/mail/?p=OverQuotaTemp - gsmtp"}},
	},
	microsoft: {
		osm.NoSuchUser:  {{code: 550, status: "5.5.0", text: "550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302). [DB5EUR01FT004.eop-EUR01.prod.protection.outlook.com]"}, {code: 550, status: "5.4.1", text: "550 5.4.1 Recipient address rejected: Access denied. AS(201806281) [AM7EUR03FT021.eop-EUR03.prod.protection.outlook.com]"}},
		osm.Spam:        {{code: 550, status: "5.7.1", atData: true, text: "550 5.7.1 Message rejected as spam by Content Filtering."}},
		osm.Listed:      {{code: 550, status: "5.7.1", text: "550 5.7.1 Unfortunately, messages from [203.0.113.25] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3140). You can also refer your provider to http://mail.live.com/mail/troubleshooting.aspx#errors."}},
		osm.RateLimited: {{code: 451, status: "4.7.650", text: "451 4.7.650 The mail server [203.0.113.25] has been temporarily rate limited due to IP reputation. For e-mail delivery information, see https://postmaster.live.com (S775)"}},
		osm.Policy:      {{code: 550, status: "5.7.515", atData: true, text: "550 5.7.515 Access denied, sending domain doesn't meet the required authentication level. The sender's domain fails SPF and DKIM."}},
		osm.MailboxFull: {{code: 452, status: "4.2.2", text: "452 4.2.2 Mailbox full"}},
	},
	yahoo: {
		osm.NoSuchUser:  {{code: 552, status: "", text: "552 1 Requested mail action aborted, mailbox not found"}, {code: 554, status: "", text: "554 delivery error: dd This user doesn't have a yahoo.com account (%s) [0] - mta4210.mail.bf1.yahoo.com"}},
		osm.Spam:        {{code: 554, status: "", atData: true, text: "554 Message not allowed - [PH01] Email not accepted for policy reasons.  Please visit https://senders.yahooinc.com/error-codes"}},
		osm.Listed:      {{code: 553, status: "5.7.1", text: "553 5.7.1 [BL21] Connections will not be accepted from 203.0.113.25, because the ip is in Spamhaus's list; see https://senders.yahooinc.com/error-codes"}},
		osm.RateLimited: {{code: 421, status: "4.7.0", text: "421 4.7.0 [TSS04] Messages from 203.0.113.25 temporarily deferred due to unexpected volume or user complaints - 4.16.55.1; see https://senders.yahooinc.com/error-codes"}},
		osm.Policy:      {{code: 554, status: "5.7.9", atData: true, text: "554 5.7.9 Message not accepted for policy reasons.  See https://senders.yahooinc.com/error-codes"}},
		osm.MailboxFull: {{code: 552, status: "5.2.2", text: "552 5.2.2 user is over quota"}},
	},
	postfix: {
		osm.NoSuchUser:  {{code: 550, status: "5.1.1", text: "550 5.1.1 <%s>: Recipient address rejected: User unknown in virtual mailbox table"}, {code: 550, status: "5.1.1", text: "550 5.1.1 <%s>: Recipient address rejected: User unknown in local recipient table"}},
		osm.Spam:        {{code: 554, status: "5.7.1", atData: true, text: "554 5.7.1 Spam message rejected"}, {code: 550, status: "5.7.1", atData: true, text: "550 5.7.1 Message contains spam or virus (score 17.3)"}},
		osm.Listed:      {{code: 554, status: "5.7.1", text: "554 5.7.1 Service unavailable; Client host [203.0.113.25] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/203.0.113.25"}, {code: 554, status: "5.7.1", text: "554 5.7.1 Service unavailable; Client host [203.0.113.25] blocked using bl.spamcop.net; Blocked - see https://www.spamcop.net/bl.shtml?203.0.113.25"}},
		osm.RateLimited: {{code: 450, status: "4.7.1", text: "450 4.7.1 Error: too much mail from 203.0.113.25"}},
		osm.Policy:      {{code: 550, status: "5.7.23", text: "550 5.7.23 <%s>: Recipient address rejected: Message rejected due to: SPF fail - not authorized"}},
		osm.MailboxFull: {{code: 552, status: "5.2.2", text: "552 5.2.2 <%s>: user is over quota"}},
		osm.Connection:  {{text: "Connection timed out"}},
		osm.Greylisted:  {{code: 450, status: "4.2.0", text: "450 4.2.0 <%s>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.ch/help/example.html"}, {code: 451, status: "4.7.1", text: "451 4.7.1 Greylisting in action, please come back in 00:04:58"}},
	},
	hosted: {
		osm.NoSuchUser:  {{code: 550, status: "", text: "550 No Such User Here"}, {code: 550, status: "", text: "550-Verification failed for <%s>\\n550 Unrouteable address"}},
		osm.Spam:        {{code: 550, status: "", atData: true, text: "550 This message was classified as SPAM and may not be delivered"}, {code: 550, status: "", atData: true, text: "550 Administrative prohibition: high spam score"}},
		osm.Listed:      {{code: 550, status: "", text: "550 JunkMail rejected - srv.host.example [203.0.113.25] is in an RBL: Blocked - see https://www.spamcop.net/bl.shtml?203.0.113.25"}},
		osm.RateLimited: {{code: 451, status: "", text: "451 Domain has exceeded the max defers and failures per hour. Message deferred"}},
		osm.Policy:      {{code: 550, status: "", text: "550 SPF: 203.0.113.25 is not allowed to send mail from this domain"}},
		osm.MailboxFull: {{code: 452, status: "", text: "452 <%s> Mailbox is full / Blocks limit exceeded / Inode limit exceeded"}},
	},
}

// say picks the receiver's words for a refusal.
func (r receiver) say(d dice, refusal osm.Refusal, recipient string) answer {
	if r == greylister || len(answers[r][refusal]) == 0 {
		r = postfix
	}
	a := pick(d, answers[r][refusal])
	a.refusal = refusal
	if strings.Contains(a.text, "%s") {
		a.text = fmt.Sprintf(a.text, recipient)
	}
	return a
}

// memory is what the receivers have lately seen of this server: spam that got through warms it, time cools it.
type memory struct {
	heat [receivers]float64
	at   [receivers]time.Duration
}

// warm adds one spam message and returns how many a receiver remembers, with a half-life of half a day.
func (m *memory) warm(r receiver, now time.Duration, add float64) float64 {
	if past := now - m.at[r]; past > 0 {
		m.heat[r] *= halved(float64(past) / float64(12*time.Hour))
		m.at[r] = now
	}
	m.heat[r] += add
	return m.heat[r]
}

// refusalOf is what a receiver does with one recipient at the first attempt.
func (m *memory) refusalOf(d dice, s *send, r receiver, address string, now time.Duration) osm.Refusal {
	if dead(address, s.mood.dead) {
		return osm.NoSuchUser
	}
	spam := s.mood.spam
	if s.campaign != 0 {
		seen := m.warm(r, now, 1)
		spam *= seen / (seen + s.mood.onset)
	} else {
		spam += min(0.01, m.warm(r, now, 0)/100000) // what the others on the server feel of it
	}
	u := d.Float64()
	switch {
	case u < spam*0.6:
		return osm.Spam
	case u < spam*0.75:
		return osm.Listed
	case u < spam*0.92:
		return osm.RateLimited
	case u < spam:
		return osm.Policy
	case u > 0.9985:
		return osm.Connection
	case u > 0.9975:
		return osm.MailboxFull
	case r == greylister && unit(hashOf(address)^hashOf(s.sender)) < 0.5+0.5*d.Float64():
		return osm.Greylisted
	}
	return osm.NotRefused
}
