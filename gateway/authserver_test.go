package gateway_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"net"
	"strings"
	"testing"
)

// newAuthServer checks logins for Postfix in Dovecot's protocol (Dovecot, "Authentication Protocol v1.1"): everybody's
// password is "secret".
func newAuthServer(t *testing.T) (address string) {
	t.Helper()
	return listen(t, checkLogins)
}

func checkLogins(conn net.Conn) {
	fmt.Fprint(conn, "VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\t00000000000000000000000000000001\nDONE\n")
	said := map[string][]string{} // of each login, by its number: the mechanism and what the client has said
	for in := bufio.NewScanner(conn); in.Scan(); {
		field := strings.Split(in.Text(), "\t")
		switch {
		case len(field) > 2 && field[0] == "AUTH":
			said[field[1]] = []string{field[2]}
			if _, first, ok := strings.Cut(in.Text(), "\tresp="); ok {
				said[field[1]] = append(said[field[1]], first)
			}
		case len(field) > 2 && field[0] == "CONT":
			said[field[1]] = append(said[field[1]], field[2])
		default:
			continue
		}
		fmt.Fprintln(conn, nextOfLogin(field[1], said[field[1]]))
	}
}

// nextOfLogin is what is answered to what a client has said so far.
func nextOfLogin(id string, said []string) string {
	var words []string
	for _, s := range said[1:] {
		text, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			return "FAIL\t" + id + "\treason=invalid base64"
		}
		words = append(words, string(text))
	}
	if said[0] == "PLAIN" && len(words) > 0 {
		words = strings.Split(words[0], "\x00")[1:]
	}
	prompt := [][]string{{"Username:", "Password:"}, {""}}[map[string]int{"PLAIN": 1}[said[0]]]
	if len(words) < len(prompt) {
		return "CONT\t" + id + "\t" + base64.StdEncoding.EncodeToString([]byte(prompt[len(words)]))
	}
	if words[1] != "secret" {
		return "FAIL\t" + id + "\tuser=" + words[0]
	}
	return "OK\t" + id + "\tuser=" + words[0]
}
