package policy

import (
	"net"

	"golang.org/x/sys/unix"
)

// peerUID asks the kernel who opened the other end (unix(7), SO_PEERCRED): it can't be forged.
func peerUID(conn *net.UnixConn) (uid int, ok bool) {
	raw, err := conn.SyscallConn()
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
