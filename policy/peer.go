package policy

import (
	"net"

	"golang.org/x/sys/unix"
)

// PeerUID asks the kernel who opened the other end of a unix socket (unix(7), SO_PEERCRED): it can't be forged. Other
// connections have no such user.
func PeerUID(conn net.Conn) (uid int, ok bool) {
	u, ok := conn.(*net.UnixConn)
	if !ok {
		return 0, false
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return 0, false
	}
	controlErr := raw.Control(func(fd uintptr) {
		var cred *unix.Ucred
		if cred, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			uid = int(cred.Uid)
		}
	})
	return uid, err == nil && controlErr == nil
}
