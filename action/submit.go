package action

import (
	"context"
	"fmt"
	"net"
	"net/smtp"

	"golang.org/x/sys/unix"
)

// submit hands a mail to a mail server over SMTP. Local names get the server's own domain, as sendmail would give them.
func submit(ctx context.Context, server, host, from string, to []string, letter []byte) (err error) {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", server)
	if err != nil {
		return fmt.Errorf("mail by %s: %w", server, err)
	}
	defer conn.Close()
	if end, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(end); err != nil {
			return fmt.Errorf("mail by %s: %w", server, err)
		}
	}
	if err := dialogue(conn, host, from, to, letter); err != nil {
		return fmt.Errorf("mail by %s: %w", server, err)
	}
	return nil
}

func dialogue(conn net.Conn, host, from string, to []string, letter []byte) error {
	client, err := smtp.NewClient(conn, host)
	if err != nil {
		return err
	}
	if err := client.Hello(host); err != nil {
		return err
	}
	if err := client.Mail(from); err != nil {
		return err
	}
	for _, address := range to {
		if localName(address) {
			address += "@" + host
		}
		if err := client.Rcpt(address); err != nil {
			return err
		}
	}
	w, err := client.Data()
	if err != nil {
		return err
	}
	if _, err := w.Write(letter); err != nil {
		return err
	}
	if err := w.Close(); err != nil { // the server's answer: from here on the mail is its own
		return err
	}
	client.Quit() // the mail is handed on whatever is answered to it
	return nil
}

// localServer takes mail where sendmail can't be used.
const localServer = "127.0.0.1:25"

// bound tells whether this process, and every program it runs, may not change its user (prctl(2), PR_SET_NO_NEW_PRIVS):
// systemd's NoNewPrivileges does that, and then Exim's sendmail can't write to its spool.
func bound() bool {
	n, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0)
	return err == nil && n == 1
}
