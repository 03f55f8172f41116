package check

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// feedback is a report in the form that large receivers send.
func feedback(fields, original string) string {
	return "From: <feedback@receiver.example>\r\nTo: <abuse@here.example>\r\nSubject: FW: offer\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/report; report-type=feedback-report;\r\n boundary=\"part\"\r\n\r\n" +
		"--part\r\nContent-Type: text/plain\r\n\r\nThis is an abuse report.\r\n\r\n" +
		"--part\r\nContent-Type: message/feedback-report\r\n\r\n" + fields + "\r\n" +
		"--part\r\nContent-Type: message/rfc822\r\nContent-Disposition: inline\r\n\r\n" + original + "\r\n--part--\r\n"
}

const original = "Return-Path: <shop@here.example>\r\nReceived: from here.example (here.example [192.0.2.1])\r\n\tby mx.receiver.example with ESMTPS id AbCdEf0123456789x\r\n\tfor <bob@receiver.example>; Mon, 23 Nov 2026 12:00:05 +0000\r\n" +
	"Received: from [198.51.100.7] (helo=ANNAS-PC)\r\n\tby here.example with esmtpsa (TLS1.3) tls TLS_AES_256_GCM_SHA384\r\n\t(Exim 4.96)\r\n\t(envelope-from <shop@here.example>)\r\n\tid 1wEoXY-0000aB-2c\r\n\tfor bob@receiver.example;\r\n\tMon, 23 Nov 2026 12:00:00 +0000\r\n" +
	"Message-ID: <m1@here.example>\r\nDate: Mon, 23 Nov 2026 12:59:58 +0100\r\nSubject: offer\r\n\r\nBuy.\r\n"

const abuse = "Feedback-Type: Abuse\r\nUser-Agent: Receiver-Feedback/1.0\r\nVersion: 1\r\nOriginal-Rcpt-To: <bob@receiver.example>\r\nSource-IP: 192.0.2.1\r\n"

func TestReadComplaint(t *testing.T) {
	want := &Complaint{Type: "abuse", Agent: "Receiver-Feedback/1.0", Reporter: "feedback@receiver.example",
		Recipients: []string{"bob@receiver.example"}, MessageID: "m1@here.example", IDs: []string{"AbCdEf0123456789x", "1wEoXY-0000aB-2c"},
		Date: time.Date(2026, 11, 23, 11, 59, 58, 0, time.UTC)}
	long := strings.Replace(original, "1wEoXY-0000aB-2c", "1wEoXY-00000000aB3-0abc", 1)
	for name, c := range map[string]struct {
		text   string
		change func(*Complaint)
	}{
		"as it is":              {feedback(abuse, original), nil},
		"from a pipe":           {"From feedback@receiver.example Mon Nov 23 12:00:00 2026\n" + strings.ReplaceAll(feedback(abuse, original), "\r\n", "\n"), nil},
		"with bare newlines":    {strings.ReplaceAll(feedback(abuse, original), "\r\n", "\n"), nil},
		"with the header alone": {strings.Replace(feedback(abuse, strings.Split(original, "\r\n\r\n")[0]), "message/rfc822", "text/rfc822-headers", 1), nil},
		"long ids":              {feedback(abuse, long), func(c *Complaint) { c.IDs[1] = "1wEoXY-00000000aB3-0abc" }},
		"a secret recipient":    {feedback("Feedback-Type: abuse\r\nUser-Agent: Receiver-Feedback/1.0\r\n", original), func(c *Complaint) { c.Recipients = nil }},
		"a typed recipient":     {strings.Replace(feedback(abuse, original), "<bob@", "rfc822; <bob@", 1), nil},
		"no Message-ID":         {strings.Replace(feedback(abuse, original), "Message-ID: <m1@here.example>\r\n", "", 1), func(c *Complaint) { c.MessageID = "" }},
		"no date":               {strings.Replace(feedback(abuse, original), "Date: ", "X-Date: ", 1), func(c *Complaint) { c.Date = time.Time{} }},
		"cut off":               {strings.TrimSuffix(feedback(abuse, original), "\r\n--part--\r\n"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			want := *want
			want.IDs = append([]string(nil), want.IDs...)
			if c.change != nil {
				c.change(&want)
			}
			got, err := ReadComplaint([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			got.Date = got.Date.UTC()
			if diff := cmp.Diff(&want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNoComplaint(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"nothing":       {"", ErrNoComplaint},
		"a letter":      {plainMail, ErrNoComplaint},
		"garbage":       {"\x00\xff\r\n\r\n--", ErrNoComplaint},
		"a bounce":      {strings.Replace(feedback(abuse, original), "message/feedback-report", "message/delivery-status", 1), ErrNoComplaint},
		"no type":       {feedback("User-Agent: x\r\n", original), ErrNoComplaint},
		"about nothing": {feedback(abuse, "Subject: x\r\n\r\n"), ErrNoMessage},
		"no original":   {strings.Replace(feedback(abuse, original), "message/rfc822", "image/png", 1), ErrNoMessage},
	} {
		if _, err := ReadComplaint([]byte(c.text)); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestAccuses(t *testing.T) {
	for kind, want := range map[string]bool{"abuse": true, "fraud": true, "virus": true, "other": true, "opt-out": true, "something-new": true,
		"not-spam": false, "Not-Spam": false, "auth-failure": false} {
		c, err := ReadComplaint([]byte(feedback("Feedback-Type: "+kind+"\r\n", original)))
		if err != nil || c.Accuses() != want {
			t.Errorf("%s: %+v, %v", kind, c, err)
		}
	}
}

func FuzzReadComplaint(f *testing.F) {
	f.Add([]byte(feedback(abuse, original)))
	f.Add([]byte(feedback("Feedback-Type: abuse\r\nOriginal-Rcpt-To: <>\r\n", "")))
	var many strings.Builder
	for i := range 200 {
		fmt.Fprintf(&many, "Received: from x by y id 1wEoXY-0000%02d-2c\r\n", i)
	}
	f.Add([]byte(feedback(abuse, many.String())))
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := ReadComplaint(text)
		if err != nil {
			return
		}
		if len(c.IDs) > maxReceived || len(c.Recipients) > maxTold || len(c.MessageID) > maxLine || len(c.Type) > maxLine || c.Type == "" {
			t.Errorf("%+v", c)
		}
	})
}
