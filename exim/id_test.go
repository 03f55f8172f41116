package exim

import (
	"testing"
	"time"
)

func TestDecodeID(t *testing.T) {
	for _, c := range []struct {
		id  string
		at  string
		pid int
	}{
		{"1xVPO8-0002hh-0u", "2026-11-23T08:27:00Z", 10397},
		{"1xVPXh-000000005gA-0Quz", "2026-11-23T08:36:53Z", 21834},
		{"10HmaX-0005vi-00", "1999-03-02T10:39:45Z", 22798},
	} {
		at, pid, ok := DecodeID(c.id)
		if !ok || at.UTC().Format(time.RFC3339) != c.at || pid != c.pid {
			t.Errorf("DecodeID(%q) = %v, %d, %t; want %s, %d", c.id, at.UTC(), pid, ok, c.at, c.pid)
		}
	}
	for _, id := range []string{"", "1xVPO8-0002hh-0", "1xVPO8-0002hh-0u ", "1xVPO8-0002hh-0uu", "1xVPO8_0002hh-0u",
		"1xVPO8-0002hh_0u", "1xVPO8-0002h\xff-0u", "1xVPXh-000000005gA-0Qu", "1xVPXh-000000005gA-0Quz1", "------ ------ --"} {
		if at, pid, ok := DecodeID(id); ok {
			t.Errorf("DecodeID(%q) = %v, %d, true", id, at, pid)
		}
	}
}
