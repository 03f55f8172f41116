package gateway

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
)

// The PROXY protocol, version 2 (haproxy.org, proxy-protocol.txt, section 2.2): a header before everything else, also
// before TLS, tells who the client is.
const (
	proxySignature = "\r\n\r\n\x00\r\nQUIT\n"
	proxyLocal     = 0x20 // version 2, command LOCAL: the connection's own addresses count
	proxyProxy     = 0x21
	proxyTCP4      = 0x11
	proxyTCP6      = 0x21
	proxyFixed     = len(proxySignature) + 4
	proxyMost      = 4 << 10 // addresses and extensions
)

var errProxy = errors.New("no valid PROXY protocol version 2 header")

// readProxy reads a header, and nothing behind it. The address is invalid for a LOCAL command.
func readProxy(conn net.Conn) (client netip.AddrPort, err error) {
	fixed := make([]byte, proxyFixed)
	if _, err := io.ReadFull(conn, fixed); err != nil {
		return client, fmt.Errorf("%w: %w", errProxy, err)
	}
	if string(fixed[:len(proxySignature)]) != proxySignature {
		return client, errProxy
	}
	command, family, size := fixed[12], fixed[13], int(binary.BigEndian.Uint16(fixed[14:]))
	if size > proxyMost || command != proxyLocal && command != proxyProxy {
		return client, errProxy
	}
	rest := make([]byte, size)
	if _, err := io.ReadFull(conn, rest); err != nil {
		return client, fmt.Errorf("%w: %w", errProxy, err)
	}
	switch {
	case command == proxyLocal:
		return client, nil
	case family == proxyTCP4 && size >= 12:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(rest)), binary.BigEndian.Uint16(rest[8:])), nil
	case family == proxyTCP6 && size >= 36:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(rest)).Unmap(), binary.BigEndian.Uint16(rest[32:])), nil
	}
	return client, errProxy
}

// appendProxy writes the header that tells client; an invalid one makes it a LOCAL command, as for a health check. The
// server is where the client has connected to.
func appendProxy(dst []byte, client, server netip.AddrPort) []byte {
	dst = append(dst, proxySignature...)
	if !client.IsValid() {
		return append(dst, proxyLocal, 0, 0, 0)
	}
	from, to := client.Addr().Unmap(), server.Addr().Unmap()
	switch {
	case from.Is4() && !to.Is4():
		to = netip.IPv4Unspecified()
	case from.Is6() && !to.Is6():
		to = netip.IPv6Unspecified()
	}
	family := byte(proxyTCP4)
	if from.Is6() {
		family = proxyTCP6
	}
	dst = append(dst, proxyProxy, family)
	dst = binary.BigEndian.AppendUint16(dst, uint16(2*len(from.AsSlice())+4))
	dst = append(append(dst, from.AsSlice()...), to.AsSlice()...)
	return binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(dst, client.Port()), server.Port())
}
