package detect

// fact is one kind of evidence.
type fact uint8

const (
	newRecipients fact = iota
	sameSubject
	rate
	volume
	pace
	manyRecipients
	flood
	newNetwork
	newAddress
	newCountry
	newHelo
	manyNetworks
	failedLogins
	impossibleTravel
	foreignSender
	manySenders
	newSubject
	uploadFolder
	newScript
	newAccount
	neighbour
	refused
	refusedAsSpam
	complaints
	herdSubject
	herdNetwork
	knownRecipients
	facts
)

// group of facts that often have one innocent cause together. Within a group they add up to a limit only: a mail merge
// makes many new recipients, one subject and a high rate at once, and is still one oddity.
type group uint8

const (
	bulk    group = iota // much mail to strangers: what a mail merge does too
	burst                // one message to many, which is a newsletter's way but seldom a person's
	place                // from elsewhere: what a traveller or a new device does too
	guise                // under another name or subject: what an agency does too
	novelty              // something that was not there before: what a new site does too
	answers              // what the receivers say
	herd                 // what several senders have in common
	credit               // speaks for the sender
	groups
)

// groupNames are the groups' names for people.
var groupNames = [groups]string{"bulk", "burst", "place", "guise", "novelty", "answers", "herd", "credit"}

// groupLimits is the most that a group adds to a score.
var groupLimits = [groups]float32{bulk: 6, burst: 3, place: 6.5, guise: 6, novelty: 6, answers: 10, herd: 6, credit: 4}

// groupOf is the group of each fact, apart from the words of the table.
var groupOf = func() (of [facts]group) {
	for f := range weights {
		of[f] = weights[f].group
	}
	return of
}()

// weight is a row of the table of weights.
type weight struct {
	name  string
	group group
	most  float32 // the most that this fact can add to a score; it adds in proportion to how strong it is
	what  string  // what is measured, for the documentation
	why   string
}

var weights = [facts]weight{
	newRecipients: {"new-recipients", bulk, 6,
		"a run of recipients never mailed before by this sender, beyond the share that is usual for him; one known to others here counts for 0.3, one known to the account for 0.1, and whoever wrote to him first is known",
		"a spammer has a list, its people are strangers to the sender; shops have strangers every day, so their share is weighed by habit"},
	sameSubject: {"same-subject", bulk, 2.5,
		"messages that repeat a subject that is new to this sender, by a sender who does not usually repeat himself",
		"people do not write the same to many in separate messages; spam programs do"},
	rate: {"rate", bulk, 3,
		"recipients this hour against the usual of this hour of the week and the busiest usual hour",
		"a stolen sender is used at once; compared with his own past only, because 500 an hour is normal for some and 30 is not for others"},
	volume: {"volume", bulk, 3,
		"new recipients of the last two days against those of the busiest usual day",
		"whoever sends slowly enough to hide from the hour is seen by the day"},
	pace: {"pace", bulk, 2,
		"recipients within minutes, by a sender who has no past to compare with",
		"a new sender who starts at full speed is seldom a person"},
	manyRecipients: {"many-recipients", burst, 3,
		"new recipients in one message of at least 6, against the sizes of earlier messages; half of it when nothing else is odd, but for a new sender with a list of strangers alone",
		"blind copies to dozens are an old trick to be under message limits"},
	flood: {"flood", burst, 3,
		"new recipients within two days: from 180 on when the network, address or HELO name is not a habit, from 400 on for a person as always (both a third of that where all are strangers to him and his account), from 600 on for one who is new or hardly ever wrote; of a list of the sender's own from three times as many on, and of strangers too, as far as the place is the usual one, once hundreds of receivers have taken it with hardly a refusal",
		"even a good list of that size is not mailed by hand, and not from somewhere new"},
	newNetwork: {"new-network", place, 4,
		"a client network (IPv4 /24, IPv6 /48) that this login has not used on an earlier day, weighed by how often he changes",
		"whoever stole a password sends from elsewhere"},
	newAddress: {"new-address", place, 3,
		"a client address new to this login in a network that is not, weighed by how often he changes",
		"rented machines stand next door to customers; people with changing addresses change often"},
	newCountry: {"new-country", place, 1.5,
		"a country this login has not sent from (needs a country database)",
		"adds to a new network: most changes of network stay in the country"},
	newHelo: {"new-helo", place, 2.5,
		"a HELO name new to this login, weighed by how often he changes",
		"the name is set by the device; a new one is a new device or another one's program"},
	manyNetworks: {"many-networks", place, 5,
		"new networks of this login within two days",
		"one login from many places at once is a botnet"},
	failedLogins: {"failed-logins", place, 2,
		"failed logins for this login within a day, before it was used from a new network",
		"a guessed password has been guessed at"},
	impossibleTravel: {"impossible-travel", place, 2,
		"a new network so far from where the login's own mail last came from that no plane is as fast: beyond 300 km and 1,000 km an hour, all of it at twice that (needs a database with coordinates)",
		"nobody is in two places; adds to a new network, and does not count alone: companies' tunnels and phones abroad jump too"},
	foreignSender: {"foreign-sender", guise, 3,
		"an envelope sender of a domain that this sender has not written as, weighed by how often he does so",
		"spam hides its origin; agencies write in many names, and that is their habit"},
	manySenders: {"many-senders", guise, 4,
		"different new envelope senders within two days, beyond what is usual",
		"changing senders are made up by a program"},
	newSubject: {"new-subject", guise, 2.9,
		"a subject unlike all earlier ones, by a sender who has subjects that last for days; two thirds of it while his rate is the usual one, 0.6 of it under a new sender of his own domain",
		"a shop's mail says the same every day; when it suddenly says something else, somebody else may be writing"},
	uploadFolder: {"upload-folder", novelty, 4.5,
		"a new script in an uploads, temporary, pictures or hidden folder; for caches, logs and backups 0.4 of it",
		"nothing should run there; that is where intruders can write"},
	newScript: {"new-script", novelty, 2.5,
		"a script folder that has not sent before the last days; less where senders and subjects are those of the account",
		"intruders bring their own program; a site that moved brings its old subjects along"},
	newAccount: {"new-account", novelty, 3,
		"a sender first seen in the last days, with few messages, of an account or domain that is as new; for a new login of an old account at most 0.3 of it, and only from a network unknown to the account",
		"accounts are opened to spam; counts only once the server itself has been watched for longer"},
	neighbour: {"stopped-neighbour", novelty, 3,
		"another sender of the same account was stopped in the last days, and this script is new",
		"intruders leave more than one door open"},
	refused: {"refused", answers, 8,
		"a run of recipients, each counted once, that receivers refuse as unknown: 1.8 times the sender's own share, never taken for less than 10 %; that of a program which has written to hundreds of strangers for not less than 4 %",
		"bought lists are full of dead addresses"},
	refusedAsSpam: {"refused-as-spam", answers, 8,
		"a run of refusals that say spam, a block list, or too much mail: four times the sender's own share, never taken for less than 2 %",
		"receivers have seen more of this mail than we"},
	complaints: {"complaints", answers, 6,
		"recipients who complained (RFC 5965) about messages that the history has, beyond 0.3 % of the sender's recipients of late; five are the whole weight",
		"people press the spam button; large receivers begin to refuse a server's mail at that share, and a few angry ones stop nobody"},
	herdSubject: {"herd-subject", herd, 6,
		"other logins who began, within a day and from unusual places or as new ones, to write to lists of strangers with the same pair of words in the subject; pairs that ordinary mail here uses do not count",
		"one template from many logins is one hand"},
	herdNetwork: {"herd-network", herd, 5,
		"other logins that came new from the same network within the last day",
		"one machine that knows many passwords has stolen them"},
	knownRecipients: {"known-recipients", credit, 3,
		"recipients of the last two days mailed before, not all of one subject and without a run of strangers since; excuses up to 0.7 of place; and half of bulk where a quarter of a login's list, or more, is known to it or its account, of a script's to others here",
		"a thief does not know whom the sender writes to, a traveller does, and who mails many himself knows some of them"},
}
