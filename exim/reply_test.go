package exim

import "testing"

func TestReplyCode(t *testing.T) {
	for _, c := range []struct {
		text, enhanced string
		code           int
	}{
		{"250 2.0.0 OK", "2.0.0", 250},
		{"250", "", 250},
		{"550-5.7.26 multi\\n550 5.7.26 line", "5.7.26", 550},
		{"SMTP error from remote mail server after RCPT TO:<a@b>: 550 5.1.1 <a@b>: unknown", "5.1.1", 550},
		{"SMTP error from remote mail server after end of data: 452 4.3 no", "", 452},
		{"x: 550 5.1234.1 no", "", 550},
		{"x: 550 5.1. no", "", 550},
		{"x: 550 9.1.1 no", "", 550},
		{"x: 600 no: 2x0 no: 1234 no", "", 0},
		{"Connection refused", "", 0},
		{"", "", 0},
	} {
		if code, enhanced := replyCode(c.text); code != c.code || enhanced != c.enhanced {
			t.Errorf("replyCode(%q) = %d, %q; want %d, %q", c.text, code, enhanced, c.code, c.enhanced)
		}
	}
}

func TestTrimTimes(t *testing.T) {
	for text, want := range map[string]string{"x QT=1s DT=0.01s": "x", "x DT=0s": "x", "x DT=": "x DT=", "DT=1s": "DT=1s", "": ""} {
		if got := trimTimes(text); got != want {
			t.Errorf("trimTimes(%q) = %q, want %q", text, got, want)
		}
	}
}
