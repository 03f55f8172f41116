package sim

import (
	"fmt"
	"time"
)

const oneDay = 24 * time.Hour

// ranges are a family's habits: how large servers are, who lives on them and how they send.
type ranges struct {
	accounts, days         span
	mailboxes              float64 // median per account
	personRate, personTail float64 // messages a working day: median and sigma
	newRate                span    // share of a person's recipients that are new to him
	inboundFirst           float64 // share of new contacts who wrote first
	shops, newsletters     float64 // shares of accounts that have one
	invoices, forwarders   float64
	lists, monitors        float64
	signups, forms, crons  float64
	orders                 span // a day
	salesFactor            span
	readers                span // of a newsletter
	readersGrow, dead      span // a week; share of dead addresses at first
	newsPace               span // messages an hour
	customers              span // of an invoice run
	alertStorm             span // messages
	volume, pace           span // of a campaign: recipients, recipients an hour
	ips                    span
	wide                   span // recipients of a message with many
	campaignDead           span
	campaignSpam           span
	travellers, devices    float64 // shares of people in hard worlds
	merges, moves          float64
	firstNews, newSignup   float64 // shares of accounts in hard worlds
	siteMoves, agencies    float64
	mergeSize              span // recipients
	firstReaders           span
	waves, probes, sorted  float64         // shares of campaigns that come in waves, are tried first, have lists in order
	sessions               float64         // share of days on which a person writes everything at one go
	verp, named            float64         // shares of newsletters
	apps, absent           float64         // share of accounts with a local application, of people with an automatic reply
	newsEvery              []time.Duration // between two issues
	segments               span            // share of the readers that get an issue
	root                   func(user, domain string) string
}

var families = [...]ranges{Build: {
	accounts: span{20, 400}, days: span{28, 42}, mailboxes: 3, personRate: 3, personTail: 1, newRate: span{0.02, 0.25},
	inboundFirst: 0.5, shops: 0.1, newsletters: 0.08, invoices: 0.1, forwarders: 0.15, lists: 0.03, monitors: 0.03,
	signups: 0.05,
	forms:   0.7, crons: 0.3, orders: span{2, 120}, salesFactor: span{3, 10}, readers: span{200, 5000},
	readersGrow: span{0.002, 0.03},
	dead:        span{0.002, 0.05}, newsPace: span{150, 4000}, customers: span{30, 400}, alertStorm: span{100, 2000},
	volume: span{100, 20000}, pace: span{20, 10000}, ips: span{1, 1000}, wide: span{50, 500}, campaignDead: span{0, 0.4},
	campaignSpam: span{0, 0.6},
	travellers:   0.05, devices: 0.05, merges: 0.02, moves: 0.02, firstNews: 0.02, newSignup: 0.02, siteMoves: 0.03,
	agencies:  0.02,
	mergeSize: span{50, 300}, firstReaders: span{200, 3000}, waves: 0.15, probes: 0.2, sorted: 0.2,
	sessions: 0.2, verp: 0.15, named: 0.15, apps: 0.04, absent: 0.03,
	newsEvery: []time.Duration{7 * oneDay}, segments: span{1, 1},
	root: func(user, _ string) string { return "/home/" + user + "/public_html" },
}, Held: {
	accounts: span{25, 350}, days: span{30, 42}, mailboxes: 4, personRate: 4, personTail: 1.15, newRate: span{0.03, 0.3},
	inboundFirst: 0.4, shops: 0.12, newsletters: 0.1, invoices: 0.08, forwarders: 0.2, lists: 0.04, monitors: 0.02,
	signups: 0.07,
	forms:   0.6, crons: 0.4, orders: span{4, 160}, salesFactor: span{2.5, 12}, readers: span{300, 7000},
	readersGrow: span{0.001, 0.04},
	dead:        span{0.005, 0.06}, newsPace: span{100, 6000}, customers: span{20, 500}, alertStorm: span{60, 3000},
	volume: span{120, 15000}, pace: span{15, 12000}, ips: span{1, 800}, wide: span{40, 450},
	campaignDead: span{0.01, 0.35},
	campaignSpam: span{0, 0.5},
	travellers:   0.06, devices: 0.07, merges: 0.025, moves: 0.015, firstNews: 0.025, newSignup: 0.015, siteMoves: 0.02,
	agencies:  0.025,
	mergeSize: span{40, 350}, firstReaders: span{150, 4000}, waves: 0.35, probes: 0.4, sorted: 0.4,
	sessions: 0.5, verp: 0.3, named: 0.1, apps: 0.06, absent: 0.02,
	newsEvery: []time.Duration{7 * oneDay, 7 * oneDay, 7 * oneDay, 3*oneDay + 12*time.Hour, 10 * oneDay},
	segments:  span{0.6, 1.3},
	root:      func(user, domain string) string { return fmt.Sprintf("/home/%s/web/%s/public_html", user, domain) },
}}
