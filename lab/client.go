package lab

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/smtp"
	"strings"
)

// proxied is the loopback address from which clients come whose own address is told by the PROXY protocol.
var proxied = netip.MustParseAddr(Proxied)

// Proxied is that address, for a server that stands in front of the lab's.
const Proxied = "127.0.0.2"

// Caller is a client of the lab's SMTP server.
type Caller struct {
	// From is the client's address as Exim shall see it. One of 127.0.0.0/8 is really used, so that 127.0.0.1 is a program
	// on the server itself; any other is told by the PROXY protocol (Exim specification 62). The zero value is 127.0.0.1.
	From     netip.Addr
	Helo     string // "" is client.example
	Login    string // "" does not log in (nor use TLS)
	Password string
	Plain    bool // log in by PLAIN instead of LOGIN
}

// Dial connects to one of the server's addresses and logs in. The connection ends with ctx.
func (e *Exim) Dial(ctx context.Context, to netip.AddrPort, c Caller) (*smtp.Client, error) {
	conn, err := call(ctx, to, c.From)
	if err != nil {
		return nil, err
	}
	client, err := e.greet(conn, c)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return client, nil
}

// Deliver gives one message to the server and ends the connection.
func (e *Exim) Deliver(ctx context.Context, to netip.AddrPort, c Caller, sender string, recipients []string,
	message string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	client, err := e.Dial(ctx, to, c)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := Transmit(client, sender, recipients, message); err != nil {
		return err
	}
	return client.Quit()
}

// Transmit sends one message over a connection.
func Transmit(client *smtp.Client, sender string, recipients []string, message string) error {
	if err := client.Mail(sender); err != nil {
		return fmt.Errorf("MAIL FROM:<%s>: %w", sender, err)
	}
	for _, r := range recipients {
		if err := client.Rcpt(r); err != nil {
			return fmt.Errorf("RCPT TO:<%s>: %w", r, err)
		}
	}
	w, err := client.Data()
	if err != nil {
		return fmt.Errorf("DATA: %w", err)
	}
	if _, err := w.Write([]byte(message)); err != nil {
		return fmt.Errorf("send the message: %w", err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("end of DATA: %w", err)
	}
	return nil
}

// call opens a connection that seems to come from an address.
func call(ctx context.Context, to netip.AddrPort, from netip.Addr) (net.Conn, error) {
	source := from
	if !from.IsValid() {
		source = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	} else if !from.IsLoopback() {
		source = proxied
	}
	dialer := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0))}
	conn, err := dialer.DialContext(ctx, "tcp", to.String())
	if err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { conn.Close() })
	if source != proxied || from == proxied {
		return conn, nil
	}
	if _, err := conn.Write(proxyHeader(from, conn.LocalAddr().(*net.TCPAddr).Port, to)); err != nil {
		return nil, errors.Join(fmt.Errorf("send the PROXY header: %w", err), conn.Close())
	}
	return conn, nil
}

// proxyHeader is that of version 2 of the PROXY protocol (haproxy.org, proxy-protocol.txt, section 2.2). Both addresses are of
// one family.
func proxyHeader(from netip.Addr, port int, to netip.AddrPort) []byte {
	family, server := byte(0x11), to.Addr().Unmap()
	if from.Is6() {
		family, server = 0x21, netip.IPv6Loopback()
	}
	header := append([]byte("\r\n\r\n\x00\r\nQUIT\n\x21"), family)
	header = binary.BigEndian.AppendUint16(header, uint16(2*len(from.AsSlice())+4))
	header = append(append(header, from.AsSlice()...), server.AsSlice()...)
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(header, uint16(port)), to.Port())
}

// greet says who is there: EHLO and, with a login, STARTTLS and AUTH.
func (e *Exim) greet(conn net.Conn, c Caller) (*smtp.Client, error) {
	client, err := smtp.NewClient(conn, Host)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	helo := c.Helo
	if helo == "" {
		helo = "client.example"
	}
	if err := client.Hello(helo); err != nil {
		return nil, fmt.Errorf("EHLO %s: %w", helo, err)
	}
	if c.Login == "" {
		return client, nil
	}
	if err := client.StartTLS(&tls.Config{ServerName: Host, RootCAs: e.certificate.pool}); err != nil {
		return nil, fmt.Errorf("STARTTLS: %w", err)
	}
	var auth smtp.Auth = loginAuth{c.Login, c.Password}
	if c.Plain {
		auth = smtp.PlainAuth("", c.Login, c.Password, Host)
	}
	if err := client.Auth(auth); err != nil {
		return nil, fmt.Errorf("log in as %s: %w", c.Login, err)
	}
	return client, nil
}

// loginAuth is AUTH LOGIN, which most mail programs still use.
type loginAuth struct{ login, password string }

func (loginAuth) Start(*smtp.ServerInfo) (string, []byte, error) { return "LOGIN", nil, nil }

func (a loginAuth) Next(prompt []byte, more bool) ([]byte, error) {
	switch text := strings.ToLower(string(prompt)); {
	case !more:
		return nil, nil
	case strings.HasPrefix(text, "user"):
		return []byte(a.login), nil
	case strings.HasPrefix(text, "pass"):
		return []byte(a.password), nil
	default:
		return nil, fmt.Errorf("AUTH LOGIN: unexpected prompt %q", prompt)
	}
}
