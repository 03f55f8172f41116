package daemon

import (
	"strconv"
	"time"

	"osm"
)

// AppendVerdict appends what osm replay --json says of one arriving message: a JSON object on a line of its own. Fields
// that are not known are empty strings; rule, reason, detail and verdict are there where the action is not accept, or
// where a rule in shadow would have done something else.
func AppendVerdict(dst []byte, m *osm.Message) []byte {
	dst = append(dst, `{"time":"`...)
	dst = m.Time.AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, `","id":`...)
	dst = osm.AppendJSONString(dst, m.ID)
	dst = append(append(dst, `,"class":"`...), m.Class.String()...)
	dst = appendField(dst, `","account":`, m.Account)
	dst = appendField(dst, `,"login":`, m.Login)
	dst = appendField(dst, `,"sender":`, m.Sender)
	dst = append(dst, `,"client":"`...)
	if m.Client.IsValid() {
		dst = m.Client.AppendTo(dst)
	}
	dst = appendField(dst, `","script":`, m.Script.Path)
	dst = append(dst, `,"recipients":`...)
	dst = strconv.AppendInt(dst, int64(len(m.Recipients)), 10)
	v := &m.Verdict
	dst = append(append(dst, `,"action":"`...), v.Action.String()...)
	dst = append(dst, '"')
	if v.Action != osm.Accept {
		dst = appendField(dst, `,"rule":`, v.Rule)
		dst = appendField(dst, `,"reason":`, v.Reason)
		dst = appendField(dst, `,"detail":`, v.Detail)
		dst = appendField(dst, `,"verdict":`, v.ID)
		if v.Shadow {
			dst = append(dst, `,"shadow":true`...)
		}
	}
	return append(dst, '}', '\n')
}

func appendField(dst []byte, name, value string) []byte {
	return osm.AppendJSONString(append(dst, name...), value)
}
