package hold

import (
	"fmt"
	"strings"
	"time"

	"osm"
)

// Notice is what a sender is told about.
type Notice string

const (
	HeldNotice    Notice = "held"
	ExpiredNotice Notice = "expired"
)

// mostListed bounds the messages that one notice lists.
const mostListed = 10

// Text writes a notice about messages of one sender; count is how many there are, all those that are listed. link
// makes the address by which a message can be released, "" where there is none.
func (n Notice) Text(host string, all []Message, count int, link func(id string) string) (subject, text string) {
	var b strings.Builder
	were, are := "were", "are"
	if count == 1 {
		were, are = "was", "is"
	}
	switch n {
	case ExpiredNotice:
		subject = fmt.Sprintf("[%s] %d of your messages %s not sent", host, count, were)
		b.WriteString("These messages were held because they looked unlike your usual mail. Nobody asked for them in time, so that they\n" +
			"were taken out of the queue. If you wrote them, please send them again.\n")
	default:
		subject = fmt.Sprintf("[%s] %d of your messages %s waiting", host, count, are)
		b.WriteString("These messages are held because they look unlike your usual mail. If you did not write them, somebody else knows your\n" +
			"password: please change it. If you did, you need not do anything but wait, or ask your administrator.\n")
	}
	for i := range all[:min(len(all), mostListed)] {
		m := &all[i]
		fmt.Fprintf(&b, "\n  %s  to %s, %d in all\n  %s\n", m.Since.Format(time.RFC1123Z),
			osm.Printable(strings.Join(m.To, " ")), m.Recipients,
			osm.Printable(m.Subject))
		if address := link(m.ID); address != "" {
			fmt.Fprintf(&b, "  send it: %s\n", address)
		}
	}
	if more := count - min(len(all), mostListed); more > 0 {
		fmt.Fprintf(&b, "\nand %d more.\n", more)
	}
	return osm.Printable(subject), b.String()
}
