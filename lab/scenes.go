package lab

import (
	"fmt"
	"mime"
	"net/netip"
	"slices"
	"strings"

	"osm"
)

// Scene is what a letter is part of: the truth about it.
type Scene string

// The scenes of a town's life. The last three are spam.
const (
	Person     Scene = "person"
	Shop       Scene = "shop"
	Newsletter Scene = "newsletter"
	Form       Scene = "form"
	Incoming   Scene = "inbound"
	Forwarded  Scene = "forward"
	Cron       Scene = "cron"
	Monitor    Scene = "localhost"
	Mailing    Scene = "first mailing" // looks like spam
	Stolen     Scene = "stolen login"
	Hacked     Scene = "hacked script"
	Planted    Scene = "local program"
)

// SpamScenes are those that are spam, in the order in which they begin.
func SpamScenes() []Scene { return []Scene{Stolen, Hacked, Planted} }

// Spam tells whether a scene is spam.
func (s Scene) Spam() bool { return slices.Contains(SpamScenes(), s) }

// Story tells what happens in a scene that is out of the ordinary, "" for the others.
func (s Scene) Story() string {
	switch s {
	case Mailing:
		return Florist + " writes to all of her customers for the first time: wanted mail that looks like spam"
	case Stolen:
		return "the password of " + StolenLogin + " has been stolen: spam from ever new addresses"
	case Hacked:
		return "a script was planted in " + HackedFolder + ": spam with ever new senders"
	case Planted:
		return "a program on the server sends spam by SMTP, without a login, in the name of " + shopDomain
	}
	return ""
}

// SpamSceneOf tells which scene of spam a message belongs to, "" for any other message.
func SpamSceneOf(m *osm.Message) Scene {
	switch {
	case m.Login == StolenLogin && abroad.Contains(m.Client):
		return Stolen
	case m.Script.Path == HackedFolder:
		return Hacked
	case m.Class == osm.Localhost && strings.HasSuffix(m.Sender, "@"+shopDomain):
		return Planted
	}
	return ""
}

// abroad is where thieves come from: RFC 2544's addresses for benchmarks.
var abroad = netip.MustParsePrefix("198.18.0.0/15")

// outside is another mail server.
func outside() Caller {
	return Caller{From: netip.AddrFrom4([4]byte{192, 0, 2, 25}), Helo: "mail.elsewhere.example"}
}

// personal is mail from a person to people they know, now and then to somebody new or to a wrong address.
func (t *Town) personal() *Letter {
	p := &t.people[t.dice.IntN(len(t.people))]
	to := []string{pick(t, p.friends)}
	switch n := t.dice.IntN(100); {
	case n < 4:
		to = []string{t.stranger()}
	case n < 7:
		to = []string{"gone." + t.stranger()}
	case n < 9:
		to = []string{"full." + t.stranger()}
	case n < 13:
		to = []string{"grey." + t.stranger()}
	case n < 14:
		to = []string{"busy." + t.stranger()}
	case n < 21:
		to = []string{t.people[t.dice.IntN(len(t.people))].account.Address}
	case n < 35:
		to = append(to, pick(t, p.friends))
	}
	subject := pick(t, []string{"Lunch on Thursday?", "Re: the contract", "Minutes of the meeting", "Fwd: photos",
		"Re: Re: offer", "Holiday dates", "Café at four?", "Your question", "Invoice 2026-118", "Draft, second version"})
	return &Letter{Scene: Person, Caller: p.caller(), Sender: p.account.Address, Recipients: to,
		Text: compose(p.account.Address, to, subject, "See you soon.")}
}

func (p *person) caller() Caller {
	return Caller{From: p.home, Helo: p.helo, Login: p.account.Address, Password: p.account.Password}
}

// order is the shop's confirmation to a customer.
func (t *Town) order() *Letter {
	t.orders++
	to := []string{t.stranger()}
	return &Letter{Scene: Shop, Script: &Submission{User: "shop", Dir: "/home/shop/public_html"},
		Sender: "orders@" + shopDomain, Recipients: to,
		Text: compose("orders@"+shopDomain, to, fmt.Sprintf("Your order %d", 10240+t.orders), "Thank you for your order.")}
}

// newsletter is one letter to a handful of the readers.
func (t *Town) newsletter() *Letter {
	start := t.dice.IntN(len(t.list) - 12)
	to := t.list[start : start+6+t.dice.IntN(6)]
	mailer := Caller{From: netip.AddrFrom4([4]byte{203, 0, 113, 200}), Helo: "mailer." + gardenDomain, Login: newsLogin,
		Password: "secret-news"}
	text := compose(newsLogin, []string{"readers@" + gardenDomain}, "Garden news: bulbs for spring", "This week.")
	return &Letter{Scene: Newsletter, Caller: mailer, Sender: newsLogin, Recipients: to, Text: text}
}

// contactForm tells the site's owner what a visitor wrote.
func (t *Town) contactForm() *Letter {
	to := []string{"office@" + floristDomain}
	return &Letter{Scene: Form, Script: &Submission{User: "florist", Dir: "/home/florist/public_html/contact"},
		Sender: "form@" + floristDomain, Recipients: to,
		Text: compose(t.stranger(), to, "Message from your web site", "Do you deliver on Sundays?")}
}

// mailing is a florist's first letter to all of her customers, as blind copies from the computer she always uses: wanted, and
// unlike everything she has sent before.
func (t *Town) mailing() *Letter {
	p := &t.people[slices.IndexFunc(t.people, func(p person) bool { return p.account.Address == Florist })]
	var to []string
	for range 45 {
		to = append(to, t.stranger())
	}
	text := compose(Florist, []string{Florist}, "Open on Sundays before Christmas", "Dear customers,\n\nin December the shop is open on "+
		"Sundays too, from 10 to 16. Orders\nfor wreaths are welcome until the 5th: just answer this letter.\n\nWarm regards,\nHeidi")
	return &Letter{Scene: Mailing, Caller: p.caller(), Sender: Florist, Recipients: to, Text: text}
}

// incoming is mail from outside for somebody here.
func (t *Town) incoming() *Letter {
	p := &t.people[t.dice.IntN(len(t.people))]
	from, to := pick(t, p.friends), []string{p.account.Address}
	return &Letter{Scene: Incoming, Caller: outside(), Sender: from, Recipients: to,
		Text: compose(from, to, "Re: "+pick(t, []string{"your question", "tomorrow", "the numbers"}), "Thanks!")}
}

// forwarded is mail from outside for an address whose owner has it sent on: spam among it is not the forwarder's.
func (t *Town) forwarded() *Letter {
	from, to := t.stranger(), []string{pick(t, []string{"info@" + clubDomain, "sales@" + shopDomain})}
	return &Letter{Scene: Forwarded, Caller: outside(), Sender: from, Recipients: to,
		Text: compose(from, to, "Question about membership", "How do I join?")}
}

// cron is the output of a nightly job.
func (t *Town) cron() *Letter {
	to := []string{"root@" + Domain}
	return &Letter{Scene: Cron, Script: &Submission{Dir: "/root"}, Sender: "root@" + Domain, Recipients: to,
		Text: compose("root@"+Domain, to, "Cron <root@mx> /usr/local/bin/backup", "backup done")}
}

// monitor is a program on the server that sends without a login.
func (t *Town) monitor() *Letter {
	from, to := "monitor@"+Domain, []string{"oncall@" + DomainM}
	return &Letter{Scene: Monitor, Caller: Caller{Helo: "localhost"}, Sender: from, Recipients: to,
		Text: compose(from, to, "disk usage on mx: 71%", "all is well")}
}

// stolenLogin is spam sent with a person's password from all over the world.
func (t *Town) stolenLogin() *Letter {
	from := netip.AddrFrom4([4]byte{198, byte(18 + t.dice.IntN(2)), byte(t.dice.IntN(256)), byte(1 + t.dice.IntN(254))})
	l := t.spam(Stolen, StolenLogin, 1+t.dice.IntN(4))
	l.Caller = Caller{From: from, Helo: fmt.Sprintf("WIN-%08X", t.dice.Uint32()), Login: StolenLogin,
		Password: "secret-dave"}
	return l
}

// hackedScript is spam from a site's uploads folder, with ever new senders.
func (t *Town) hackedScript() *Letter {
	l := t.spam(Hacked, word(t)+fmt.Sprint(t.dice.IntN(90)+10)+"@"+clubDomain, 1)
	l.Script = &Submission{User: "club", Dir: HackedFolder}
	return l
}

// planted is spam that a program on the server sends to Exim's port on loopback, which asks for no login.
func (t *Town) planted() *Letter {
	l := t.spam(Planted, word(t)+"@"+shopDomain, 1+t.dice.IntN(2))
	l.Caller = Caller{Helo: "localhost"}
	return l
}

func (t *Town) spam(scene Scene, sender string, recipients int) *Letter {
	var to []string
	for range recipients {
		address := t.stranger()
		if t.dice.IntN(10) < 3 { // bought lists are old
			address = "gone." + address
		}
		to = append(to, address)
	}
	subject := pick(t, []string{"Your parcel %d is waiting", "Invoice %d overdue", "You have won %d EUR",
		"Account %d suspended"})
	subject = fmt.Sprintf(subject, 1000+t.dice.IntN(9000))
	return &Letter{Scene: scene, Sender: sender, Recipients: to,
		Text: compose(sender, to, subject, "Click now: "+SpamMark+word(t))}
}

// compose writes a message.
func compose(from string, to []string, subject, body string) string {
	if strings.ContainsFunc(subject, func(r rune) bool { return r > '~' }) {
		subject = mime.QEncoding.Encode("utf-8", subject)
	}
	return "From: " + from + "\nTo: " + strings.Join(to, ", ") + "\nSubject: " + subject + "\n\n" + body + "\n"
}

// stranger is an address somewhere in the world.
func (t *Town) stranger() string {
	domain := pick(t, []string{DomainG, DomainG, DomainG, DomainM, DomainM, DomainY, word(t) + ".example"})
	return fmt.Sprintf("%s.%s%d@%s", word(t), word(t), t.dice.IntN(100), domain)
}

func word(t *Town) string {
	syllables := []string{"an", "bel", "cor", "da", "el", "fin", "ga", "hol", "i", "jo", "ka", "lu", "mar", "no", "or", "pe",
		"ri", "sa", "ti", "ur", "vi", "wen"}
	return pick(t, syllables) + pick(t, syllables) + pick(t, syllables)
}

func pick[T any](t *Town, list []T) T { return list[t.dice.IntN(len(list))] }
