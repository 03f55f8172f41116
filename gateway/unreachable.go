package gateway

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"syscall"
)

// unreachable says why there is no upstream for this client. A refusal of the client itself comes in the upstream's words.
func (s *session) unreachable(err error) {
	s.over = true
	if refused, ok := errors.AsType[*errGreeting](err); ok && refused.said.code/100 == 5 {
		s.out = append(s.out, refused.said.raw...)
		return
	}
	s.g.log.Error("no upstream can be reached", "error", oneLine(err))
	s.out = appendAnswer(s.out, 421, "4.3.2", noUpstream+reasons(err))
}

const noUpstream = "no mail server can be reached, try again later: "

// reasons are why upstreams can't be reached, in words for strangers: where they are is for the log.
func reasons(err error) string {
	var all []string
	each := []error{err}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		each = joined.Unwrap()
	}
	for _, one := range each {
		if why := reasonOf(one); !slices.Contains(all, why) {
			all = append(all, why)
		}
	}
	return strings.Join(all, ", ")
}

func reasonOf(err error) string {
	var late net.Error
	refused, answered := errors.AsType[*errGreeting](err)
	switch {
	case answered:
		return fmt.Sprintf("refused with %d", refused.said.code)
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused"
	case errors.As(err, &late) && late.Timeout():
		return "no answer in time"
	case errors.Is(err, errTLS):
		return "no encryption"
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		return "connection lost"
	}
	return "not ready"
}
