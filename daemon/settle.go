package daemon

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// settleAfter is when everything is open that is opened at the start.
const settleAfter = 2 * time.Second

// settle gives back what only the start and the catching up took: garbage, and the pages of the program that made things ready. The
// kernel maps 64 KB of it around whatever is run once, and leaves that mapped; what is wanted again it maps again, from its cache.
func settle() error {
	debug.FreeOSMemory()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return err
	}
	for _, s := range clean(string(maps), self) {
		if _, _, e := unix.Syscall(unix.SYS_MADVISE, s.from, s.to-s.from, unix.MADV_DONTNEED); e != 0 {
			return fmt.Errorf("madvise: %w", e)
		}
	}
	return nil
}

// stretch is one of addresses.
type stretch struct{ from, to uintptr }

// clean finds in smaps (proc(5)) where a file's content can be let go: nobody may write there, and no page has been changed before,
// as relocation does.
func clean(smaps, file string) (all []stretch) {
	var s stretch
	for line := range strings.Lines(smaps) {
		switch f := strings.Fields(line); {
		case len(f) < 2:
		case !strings.HasSuffix(f[0], ":"): // a mapping begins
			s = stretch{}
			if len(f) == 6 && f[5] == file && strings.HasPrefix(f[1], "r-") {
				if n, err := fmt.Sscanf(f[0], "%x-%x", &s.from, &s.to); n != 2 || err != nil {
					s = stretch{}
				}
			}
		case f[0] == "Anonymous:" && f[1] == "0" && s != (stretch{}):
			all = append(all, s)
		}
	}
	return all
}
