package sim

import (
	"fmt"
	"strings"
)

// words are the raw material of one family's names. The two families share none, so that nothing learned from the
// words of one helps with the other.
type words struct {
	first, last  []string
	syllables    []string
	trades       []string
	tlds         []string
	freemail     []string // heavily used ones first
	topics       []string
	openings     []string // of ordinary subjects; %s is a topic
	orders       []string // shop subjects; %d is the order
	shipped      []string
	news         []string // newsletter subjects; %s topic, %d issue
	invoices     []string
	forms        []string
	signups      []string
	alerts       []string // %s host
	merges       []string // a person's one big mailing
	spam         []string // %s topic, %s word
	spamSenders  []string // local parts
	goodFolders  []string // below the document root: where sites send from
	badFolders   []string // where a hacked script lies
	desktopHelos []string // %s random hex
}

var vocabulary = [...]words{Build: {
	first: strings.Fields("anna bernd carla david elena frank greta hans ingrid jonas karin lukas maria nils olga peter " +
		"petra ralf sabine thomas ulrich vera walter yvonne michael stefan claudia martin julia andreas susanne"),
	last: strings.Fields("mueller schmidt fischer weber meyer wagner becker hoffmann koch richter klein wolf schroeder " +
		"neumann schwarz braun zimmermann krueger hartmann lange werner krause lehmann maier huber fuchs keller jung vogel"),
	syllables: strings.Fields("ba be bo da de do fa fe ga ge ha he ka ke ki la le li lo ma me mi mo " +
		"na ne ni pa pe ra re ri ro sa se si ta te to va ve"),
	trades: strings.Fields("bau hotel shop praxis kanzlei garten design media technik reisen auto moebel wein sport foto " +
		"verlag energie immobilien beratung metall"),
	tlds:     strings.Fields("example test"),
	freemail: strings.Fields("gmail.com hotmail.com gmx.de web.de yahoo.com outlook.com t-online.de icloud.com"),
	topics: strings.Fields("meeting contract offer delivery schedule budget report draft project visit agenda payment " +
		"design website photos order holiday training presentation minutes lease quote price claim repair"),
	openings: []string{"%s", "Re: %s", "%s for next week", "Question about the %s", "Re: %s", "Fwd: %s", "your %s",
		"%s, second version", "Re: your %s", "%s tomorrow?", ""},
	orders:   []string{"Your order #%d", "Order confirmation %d", "Order %d received"},
	shipped:  []string{"Your order %d has been shipped", "Tracking for order %d"},
	news:     []string{"%s news, issue %d", "Newsletter: %s (no. %d)", "This week: %s and more [%d]"},
	invoices: []string{"Invoice %d", "Your invoice no. %d", "Statement %d"},
	forms:    []string{"New message from your website", "Contact form: %s", "Enquiry about %s"},
	signups:  []string{"Please confirm your registration", "Reset your password", "Your login link", "Confirm your address"},
	alerts:   []string{"** PROBLEM Service Alert: %s/HTTP is CRITICAL **", "[alert] %s down", "Disk space low on %s"},
	merges:   []string{"Invitation to our summer party", "Our new address", "Save the date: 25 years", "Season's greetings"},
	spam: []string{"%s: you have won %s", "Your %s account is suspended %s", "Cheap %s pills %s", "Re: invoice %s %s",
		"Earn with %s now %s", "Parcel %s on hold %s", "%s loan approved %s", "Hot %s near you %s"},
	spamSenders: strings.Fields("service info support noreply account billing security team admin office contact sales"),
	goodFolders: []string{"", "", "/wp-admin", "/wp-cron", "/index.php", "/shop", "/wp-content/plugins/woocommerce",
		"", "/cgi-bin", "/kontakt", "/cache"},
	badFolders: []string{"/wp-content/uploads/2026/02", "/images", "/tmp", "/cache", "/wp-includes/css",
		"/wp-content/cache/min",
		"/media/.thumbs", "/wp-content/uploads/wpforms", "/components/com_b2jcontact/uploads"},
	desktopHelos: []string{"DESKTOP-%s", "LAPTOP-%s", "PC%s", "[192.168.1.%d]", "[192.168.178.%d]", "[10.0.0.%d]"},
}, Held: {
	first: strings.Fields("aidan brigid conor deirdre eoin fiona gareth hazel isla jack keira liam megan niall orla " +
		"padraig " +
		"rhys siobhan tom una vivienne william zoe emma george harriet ian kate louise marcus"),
	last: strings.Fields("murphy walsh byrne ryan oconnor oneill doyle gallagher lynch davies evans roberts hughes lewis " +
		"edwards thompson wright walker robinson clarke patel khan ahmed mackenzie stewart robertson campbell"),
	syllables: strings.Fields("cro dun fin glen hol kil lam mor nor ox pen quar rud stan ther " +
		"wick yor brea cas dra el fyn gor har ist jor kel lin"),
	trades: strings.Fields("plumbing bakery studio estates law dental cycles books coffee tours farm logistics events " +
		"fitness pets jewellery antiques academy church council"),
	tlds: strings.Fields("test example invalid"),
	freemail: strings.Fields("gmail.com outlook.com yahoo.co.uk btinternet.com hotmail.co.uk " +
		"icloud.com live.com eircom.net aol.com"),
	topics: strings.Fields("rota survey tender booking rehearsal fixture audit rent survey inspection timetable accounts " +
		"enrolment sponsorship menu venue deposit catalogue permit results newsletter roof kitchen insurance"),
	openings: []string{"Re: %s", "%s", "FW: %s", "%s update", "RE: %s", "quick one on the %s", "%s - thoughts?",
		"Thanks for the %s",
		"(no subject)", "The %s again", "RE: RE: %s"},
	orders:   []string{"Thanks for your purchase (%d)", "We've got your order %d", "Receipt %d"},
	shipped:  []string{"Good news! %d is on its way", "Dispatched: %d"},
	news:     []string{"The %s bulletin #%d", "%s: what's on (week %d)", "Our %s round-up %d"},
	invoices: []string{"Your bill ref %d", "Remittance %d", "Account %d: amount due"},
	forms:    []string{"Website enquiry", "[Website] %s", "Someone filled in the form: %s"},
	signups: []string{"Activate your account", "Verify your e-mail", "Password assistance",
		"Welcome aboard: one more step"},
	alerts: []string{"CRITICAL: %s ping", "Zabbix: Trigger on %s", "UPS on battery: %s"},
	merges: []string{"You're invited: open evening", "A change of solicitor", "AGM papers", "Reunion this autumn"},
	spam: []string{"Unclaimed %s benefit %s", "Final notice %s %s", "%s tokens: double your %s", "Voice message (%s) %s",
		"DocuSign: %s %s", "Dear beneficiary of %s %s", "Slim down with %s %s", "Quick favour regarding %s %s"},
	spamSenders: strings.Fields("hello customer.care no-reply payroll delivery notify mailer director hr claims webmaster"),
	goodFolders: []string{"", "", "/drupal", "/app/public", "/store", "/wp-admin", "/modules/contact", "/typo3",
		"", "/api", "/bookings", "/tmp"},
	badFolders: []string{"/sites/default/files/old", "/assets/img/x", "/.well-known/pki", "/wp-content/upgrade", "/var/tmp",
		"/uploads/avatars", "/wp-content/themes/twentyten/lang", "/public/storage/.a"},
	desktopHelos: []string{"WIN-%s", "SURFACE-%s", "%s.local", "[192.168.0.%d]", "[172.16.4.%d]", "[10.1.10.%d]"},
}}

// domain makes up a name under the documentation domains (RFC 2606).
func (w *words) domain(d dice) string {
	name := pick(d, w.syllables) + pick(d, w.syllables) + pick(d, w.syllables)
	if d.chance(0.5) {
		name += "-" + pick(d, w.trades)
	}
	return name + "." + pick(d, w.tlds)
}

// person is a local part made of two names.
func (w *words) person(d dice) string {
	first, last := pick(d, w.first), pick(d, w.last)
	switch d.IntN(5) {
	case 0:
		return first
	case 1:
		return first[:1] + "." + last
	case 2:
		return fmt.Sprintf("%s%s%d", first, last, d.IntN(1000))
	default:
		return first + "." + last
	}
}

// stranger is an address nobody here has written to; a free mail service or one of the world's other domains.
func (w *words) stranger(d dice, others []string, free float64) string {
	domain := ""
	if d.chance(free) {
		domain = w.freemail[d.skewed(len(w.freemail))]
	} else {
		domain = others[d.IntN(len(others))]
	}
	return fmt.Sprintf("%s%d@%s", w.person(d), d.IntN(100000), domain)
}

func (w *words) subject(d dice) string {
	opening := pick(d, w.openings)
	if !strings.Contains(opening, "%s") {
		return opening
	}
	topic := pick(d, w.topics)
	if d.chance(0.5) {
		topic = pick(d, w.syllables) + pick(d, w.syllables) + " " + topic
	}
	return fmt.Sprintf(opening, topic)
}

// code is a random upper-case token, as in the names Windows gives to computers.
func code(d dice, n int) string {
	const letters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[d.IntN(len(letters))]
	}
	return string(b)
}

// fill puts a topic, a number or both into a pattern, whatever it asks for.
func (w *words) fill(d dice, pattern string, number int) string {
	var args []any
	for i := 0; i+1 < len(pattern); i++ {
		if pattern[i] != '%' {
			continue
		}
		if pattern[i+1] == 'd' {
			args = append(args, number)
		} else {
			args = append(args, pick(d, w.topics))
		}
	}
	return fmt.Sprintf(pattern, args...)
}

// lure is a spam subject.
func (w *words) lure(d dice) string {
	return fmt.Sprintf(pick(d, w.spam), pick(d, w.topics), strings.ToLower(code(d, 5)))
}
