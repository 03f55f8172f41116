package lab

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/emersion/go-smtp"
)

// A receiver is one of the outside world's mail providers, with its own words for each refusal. The words are those that
// the big ones really send, as osm has to understand them.
type receiver struct {
	domains []string // none: every domain that no other receiver has
	mx      string
	ip      netip.Addr // on loopback

	heedsLists bool // refuses all mail from a listed address, not only spam

	unknown, full, greylisted, busy, spam, listed answer
}

// answer is a reply of a receiver; {rcpt} and {ip} stand for the recipient and our address.
type answer struct {
	code     int
	enhanced enhanced
	text     string
}

type enhanced = smtp.EnhancedCode

func (a answer) reply(rcpt, ip string) *smtp.SMTPError {
	text := strings.NewReplacer("{rcpt}", rcpt, "{ip}", ip).Replace(a.text)
	return &smtp.SMTPError{Code: a.code, EnhancedCode: a.enhanced, Message: text}
}

// Domains of the receivers. Mail for any other domain goes to one more, which speaks like Postfix.
const (
	DomainG = "gee.example"     // in Gmail's words
	DomainM = "lookout.example" // in Microsoft's
	DomainY = "yodel.example"   // in Yahoo's
)

// receivers are all there are; the last takes every domain that the others do not have.
func receivers() []receiver {
	return []receiver{
		{
			domains: []string{DomainG}, mx: "mx." + DomainG, ip: netip.MustParseAddr("127.0.1.1"),
			unknown: answer{550, enhanced{5, 1, 1}, "5.1.1 The email account that you tried to reach does not exist. " +
				"Please try\n5.1.1 double-checking the recipient's email address for typos or\n5.1.1 unnecessary spaces. " +
				"For more information, go to\n https://support.google.com/mail/?p=NoSuchUser 5b1f17b1804b1-4534b2a - gsmtp"},
			full: answer{452, enhanced{4, 2, 2}, "4.2.2 The recipient's inbox is out of storage space. Please direct " +
				"the\n4.2.2 recipient to\n https://support.google.com/mail/?p=OverQuotaTemp 5b1f17b1804b1-4534b2a - gsmtp"},
			greylisted: answer{451, enhanced{4, 3, 0}, "Temporary System Problem.  Try again later (10). - gsmtp"},
			busy: answer{421, enhanced{4, 7, 28}, "4.7.28 Gmail has detected an unusual rate of unsolicited mail " +
				"originating from\n4.7.28 your IP address. To protect our users from spam, mail sent from\n4.7.28 your IP " +
				"address has been temporarily rate limited. - gsmtp"},
			spam: answer{550, enhanced{5, 7, 1}, "5.7.1 [{ip}      12] Our system has detected that this message is\n" +
				"5.7.1 likely unsolicited mail. To reduce the amount of spam sent to Gmail,\n5.7.1 this message has been " +
				"blocked. Please visit\n https://support.google.com/mail/?p=UnsolicitedMessageError - gsmtp"},
			listed: answer{550, enhanced{5, 7, 1}, "5.7.1 [{ip}] The IP you're using to send mail is not authorized " +
				"to\n5.7.1 send email directly to our servers: very low reputation of the sending IP address. - gsmtp"},
		},
		{
			domains: []string{DomainM}, mx: "mx." + DomainM, ip: netip.MustParseAddr("127.0.1.2"), heedsLists: true,
			unknown: answer{550, enhanced{5, 5, 0}, "Requested action not taken: mailbox unavailable (S2017062302)."},
			full: answer{552, enhanced{5, 2, 2}, "STOREDRV.Deliver; mailbox full. The recipient's mailbox is full and " +
				"can't accept messages now."},
			greylisted: answer{451, enhanced{4, 7, 500}, "Server busy. Please try again later from [{ip}]. (S77719)"},
			busy: answer{421, enhanced{4, 7, 0}, "RP-001 Unfortunately, some messages from {ip} weren't sent. " +
				"The mail server IP connecting to the server has exceeded the rate limit allowed."},
			spam: answer{550, enhanced{5, 7, 1}, "Message rejected as spam by Content Filtering."},
			listed: answer{550, enhanced{5, 7, 1}, "Unfortunately, messages from [{ip}] weren't sent. Please contact " +
				"your Internet service provider since part of their network is on our block list (S3150)."},
		},
		{
			domains: []string{DomainY}, mx: "mx." + DomainY, ip: netip.MustParseAddr("127.0.1.3"),
			unknown: answer{554, enhanced{5, 1, 1}, "delivery error: dd This user doesn't have a yahoo.com account " +
				"({rcpt}) [0] - mta4190.mail.bf1.yahoo.com"},
			full:       answer{552, enhanced{5, 2, 2}, "1 Requested mail action aborted, mailbox {rcpt} is over quota"},
			greylisted: answer{451, enhanced{4, 3, 2}, "Internal error reading data, please try again later"},
			busy: answer{421, enhanced{4, 7, 0}, "[TSS04] Messages from {ip} temporarily deferred due to unexpected " +
				"volume or user complaints - 4.16.55.1; see https://postmaster.yahooinc.com/error-codes"},
			spam: answer{554, enhanced{5, 7, 9}, "Message not accepted for policy reasons.  See " +
				"https://postmaster.yahooinc.com/error-codes"},
			listed: answer{553, enhanced{5, 7, 1}, "[BL21] Connections will not be accepted from {ip}, because the ip " +
				"is in Spamhaus's list; see https://postmaster.yahooinc.com/error-codes"},
		},
		{
			mx: "mx.elsewhere.example", ip: netip.MustParseAddr("127.0.1.4"),
			unknown: answer{550, enhanced{5, 1, 1}, "<{rcpt}>: Recipient address rejected: User unknown in virtual " +
				"mailbox table"},
			full: answer{452, enhanced{4, 2, 2}, "<{rcpt}>: Recipient address rejected: mailbox full"},
			greylisted: answer{451, enhanced{4, 7, 1}, "<{rcpt}>: Recipient address rejected: Greylisted, see " +
				"http://postgrey.schweikert.ch/help/elsewhere.example.html"},
			busy: answer{421, enhanced{4, 7, 0}, "mx.elsewhere.example Error: too many mails from {ip}: rate limited"},
			spam: answer{554, enhanced{5, 7, 1}, "Service unavailable; message identified as spam (score 14.2)"},
			listed: answer{554, enhanced{5, 7, 1}, "Service unavailable; Client host [{ip}] blocked using " +
				"zen.spamhaus.org; https://www.spamhaus.org/query/ip/{ip}"},
		},
	}
}

// routes is the route_list of Exim's manualroute (specification 20.5) to the receivers.
func (s *Sink) routes() string {
	list := []string{"<;"}
	for _, r := range s.receivers {
		for _, d := range append(slices.Clone(r.domains), "*")[:max(len(r.domains), 1)] {
			list = append(list, fmt.Sprintf("%s %s byname ;", d, r.mx))
		}
	}
	return strings.TrimSuffix(strings.Join(list, " "), " ;")
}

// hosts are lines for /etc/hosts with the receivers' names.
func (s *Sink) hosts() []byte {
	var b []byte
	for _, r := range s.receivers {
		b = fmt.Appendf(b, "%s %s\n", r.ip, r.mx)
	}
	return b
}
