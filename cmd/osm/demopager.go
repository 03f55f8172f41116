package main

import (
	"crypto/hmac"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"osm"
	"osm/action"
)

// pager is where the demo's alerts arrive: a webhook on loopback, as an administrator's would be.
type pager struct {
	server *http.Server
	hook   action.Webhook
	show   func(*action.Alert)
}

// mostAlert is more than the largest alert, in bytes.
const mostAlert = 4 << 20

func newPager(show func(*action.Alert)) (*pager, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for alerts: %w", err)
	}
	hook := action.Webhook{URL: "http://" + listener.Addr().String() + "/alert", Secret: osm.Secret(rand.Text())}
	p := &pager{hook: hook, show: show}
	p.server = &http.Server{Handler: p, ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
	go p.server.Serve(listener) // ends with Close
	return p, nil
}

// ServeHTTP takes one alert. Every user of the machine can call: only osm can sign.
func (p *pager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostAlert))
	if err != nil {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	}
	var alert action.Alert
	if err := json.Unmarshal(body, &alert); err != nil {
		http.Error(w, "not an alert", http.StatusBadRequest)
		return
	}
	signature := action.Sign(p.hook.Secret.Reveal(), alert.Time, body)
	if !hmac.Equal([]byte(signature), []byte(r.Header.Get("Osm-Signature"))) {
		http.Error(w, "not signed by osm", http.StatusForbidden)
		return
	}
	p.show(&alert)
}

func (p *pager) close() error {
	if err := p.server.Close(); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
