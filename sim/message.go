package sim

import (
	"strings"
	"time"

	"osm"
)

// message fills in what the log, the tracker and the enricher would know at arrival. number makes its id.
func (w *World) message(s *send, number uint64) *osm.Message {
	src, cfg := s.src, &w.Config
	m := &osm.Message{Time: cfg.Start.Add(s.at).Truncate(time.Millisecond), Class: src.class, Account: src.account,
		Sender: s.sender, Size: int64(s.size), Recipients: s.to, Subject: s.subject, HasSubject: true}
	m.ID = messageID(m.Time, number, cfg.LongIDs)
	if s.from != nil {
		w.overSMTP(m, s, number)
	} else {
		m.User, m.Protocol = src.user, "local"
		if src.script != "" {
			m.Script = osm.Script{Path: src.script, Sure: osm.Exact}
		}
	}
	if s.sender != "" && s.from != nil { // PHP's mail() gives none
		m.MessageID = m.ID + s.sender[strings.LastIndexByte(s.sender, '@'):]
	}
	cfg.Style.mask(m)
	return m
}

// overSMTP fills in the client.
func (w *World) overSMTP(m *osm.Message, s *send, number uint64) {
	c := s.from
	m.Client, m.ClientHost, m.Helo = c.ip, c.host, c.helo
	m.ClientPort = uint16(1024 + mix(number)%64000)
	m.Protocol, m.ServerPort = "esmtps", 25
	m.TLS = "TLS1.3:TLS_AES_256_GCM_SHA384:256"
	if c.ip.IsLoopback() {
		m.Protocol, m.TLS = "esmtp", ""
	}
	if s.src.login != "" {
		m.Login, m.Auth, m.ServerPort = s.src.login, "dovecot_login", 587
		m.Protocol = "esmtpsa"
		if c.ip.IsLoopback() {
			m.Protocol = "esmtpa"
		}
	}
	if !w.Config.Panel {
		m.Account = ""
	}
	if w.Config.Geo {
		m.Country, m.ASN = c.country, c.asn
	}
}

// mask empties what a style's selector does not log.
func (s Style) mask(m *osm.Message) {
	switch s {
	case Recommended:
		return
	case CPanel, DirectAdmin:
		if m.Script.Path != "" {
			m.Script.Sure = osm.Probable
		}
	case Debian, Hestia:
		m.Recipients, m.Subject, m.HasSubject, m.Script = nil, "", false, osm.Script{}
	}
	m.ServerPort = 0
	if s != CPanel {
		m.ClientPort = 0
	}
}

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// messageID is Exim's id: the time in seconds, the process and a fraction of the second, each in base 62. Up to 4.96
// it is 6-6-2 characters with ticks of 5 ms, from 4.97 on 6-11-4 with microseconds. Process ids go round slowly enough
// that no two messages of one second share one.
func messageID(t time.Time, number uint64, long bool) string {
	var buf [23]byte
	pid := processOf(number)
	n := 16
	if long {
		n = 23
		put(buf[:6], uint64(t.Unix()))
		put(buf[7:18], pid)
		put(buf[19:23], uint64(t.Nanosecond()/1000))
		buf[6], buf[18] = '-', '-'
	} else {
		put(buf[:6], uint64(t.Unix()))
		put(buf[7:13], pid)
		put(buf[14:16], uint64(t.Nanosecond()/5_000_000))
		buf[6], buf[13] = '-', '-'
	}
	return string(buf[:n])
}

// bounceNumber marks the number of a bounce; the rest is its parent's.
const bounceNumber = 1 << 40

// processOf is the process that took a message in. A bounce is made by a process of its own, shortly after its
// parent's.
func processOf(number uint64) uint64 {
	pid := number % bounceNumber * 7
	if number >= bounceNumber {
		pid += 3
	}
	return 1000 + pid%4_190_000
}

func put(buf []byte, v uint64) {
	for i := len(buf) - 1; i >= 0; i-- {
		buf[i] = base62[v%62]
		v /= 62
	}
}
