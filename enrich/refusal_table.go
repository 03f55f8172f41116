package enrich

import "osm"

// refusalRow is one kind's phrases. Letters have no case, and everything that is no letter or digit separates words;
// a * at the end lets the last word go on.
type refusalRow struct {
	kind    osm.Refusal
	phrases []string
}

// replyRows are what receivers write, in the order of how much they say: when phrases of several rows occur, the
// first row counts. Words that accompany several kinds ("blocked", "policy", "rejected") therefore stand behind those
// that tell one.
var replyRows = []refusalRow{
	// Authentication of the sender: Gmail calls it a rate limit, and others mention spam beside it.
	{osm.Policy, []string{"because it is unauthenticated", "sender is unauthenticated", "unauthenticated email from",
		"authenticate with either spf or dkim", "authenticate with spf", "authenticate with dkim",
		"authenticate their email with", "spf authentication didn't pass", "dkim authentication didn't pass",
		"dkim does not pass", "fails to pass authentication checks", "pass dmarc verification", "dmarc check failed",
		"dmarc policy", "dmarc evaluation", "dmarc sender invalid", "dmarc verification", "dmarc validation",
		"spf sender invalid", "dkim sender invalid", "fails to pass spf", "spf checks", "spf check failed",
		"spf check:", "spf validation", "spf fail", "spf record with a hard fail", "spf: fail",
		"spf record of the sending domain", "spf or dkim validation", "failing both spf and dkim",
		"sender policy framework", "not aligned with", "isn't aligned with", "senders to use tls",
		"required authentication level", "allowed to send mail from", "not designated", "openspf*"}},
	// Who we are: names and reverse names.
	{osm.Policy, []string{"reverse dns", "reverse lookup", "reverse hostname", "rdns*", "ptr record*", "ptr for",
		"no ptr", "bad dns ptr resource record", "cannot find your hostname", "cannot find your reverse hostname",
		"cannot resolve your address", "helo command rejected", "bad helo", "helo name", "invalid helo",
		"ehlo argument is invalid", "access denied, bad helo", "sender address rejected", "domain of sender address",
		"sender domain must exist", "sender domain does not exist", "sender verify failed", "sender verify",
		"callout verification", "unresolvable rfc 5321", "domain does not resolve", "unable to verify sender",
		"sender not verified", "envelope sender domain must exist", "invalid sender", "emetteur invalide",
		"mail from domain", "must resolve"}},
	// Links and domains in the content that are on lists: the content is spam, our address is not listed.
	{osm.Spam, []string{"domain present in the spamhaus", "blacklisted url", "url in this email", "url in message",
		"uribl*", "surbl*", "spamhaus dbl", "dbl spamhaus", "contains a url", "spam message", "spam content",
		"spam detected", "detected as spam", "detected your message as spam", "message as spam", "considered spam",
		"classified as spam", "identified as spam", "looks like spam", "looked like spam", "appears to be spam",
		"is spam", "as spam", "rejected due to spam", "high probability of spam", "spam score", "spam points",
		"spamassassin*", "hits required", "probability of spam", "probable spam", "suspected spam", "possible spam",
		"spam like", "spam pattern", "likely unsolicited mail", "appears to be unsolicited", "similar to spam",
		"spam filtering engine", "spam or virus", "spam virus", "spam abuse detected", "nature of the content",
		"message contains spam", "message content rejected", "content rejected", "mail content denied",
		"content denied", "banned content", "content filter", "bulk mail", "bulk email", "ofr 506", "lpn 506",
		"mail rejete", "recurrent pattern detection", "virus*", "malware*", "phish*", "suspicious due to the nature",
		"reputation of the sending domain", "reputation of a domain", "message rejected for spam", "gtube",
		"rejected by spam"}},
	// Too much, too fast.
	{osm.RateLimited, []string{"unusual rate", "rate limit*", "ratelimit*", "rate limited",
		"receiving mail at a rate", "receiving mail too quickly", "too many messages", "too many emails",
		"too many mails", "too much mail", "too many connections", "too many sessions", "too many simultaneous",
		"concurrent*", "frequency limited", "unusual sending activity", "connection limit", "connections from your",
		"message limit", "messages per connection", "message per connection", "max message per", "sending limit*",
		"sending quota", "daily quota", "hourly quota", "receiving limit", "recipients per", "per hour", "this hour",
		"per day", "per minute", "slow down", "slower", "throttl*", "excessive volume", "unexpected volume",
		"high volume", "volume of", "too fast", "trop de connexions", "exceeded the rate", "exceeded rate", "rp 001",
		"rp 002", "submission rate", "flood*", "max defers and failures", "has exceeded the max",
		"tenant has exceeded threshold", "service unavailable: server busy", "server busy",
		"too many errors from your ip", "reached the limit", "limit reached", "limits exceeded"}},
	{osm.Greylisted, []string{"greylist*", "graylist*", "grey list*", "gray list*", "greyed*", "postgrey*",
		"policyd weight delay", "first time sender", "please come back later"}},
	{osm.MailboxFull, []string{"mailbox full", "mailbox is full", "mailbox for user is full", "mailbox quota",
		"over quota", "overquota*", "over the quota", "out of storage*", "exceeded storage allocation",
		"exceeded its storage", "storage limit", "quota exceeded", "exceeds quota", "exceed quota", "exceeded quota",
		"exceeded the quota", "quota violation", "quota full", "quotaexceeded*", "mailbox size limit",
		"mailbox limit", "inbox is full", "inbox full", "is full", "mail quota", "disk quota", "user quota",
		"destinataire pleine", "shutoffquota*", "not enough storage", "insufficient storage", "mailbox has exceeded",
		"recipient storage full", "voll"}},
	// Receivers that say plainly whom they do not know. "Access denied" with a recipient is Exchange Online's (5.4.1).
	{osm.NoSuchUser, []string{"user unknown", "unknown user", "no such user*", "nosuchuser*", "no such recipient",
		"no such mailbox", "no such account", "no such address", "no such person", "no such email", "no such local",
		"no such domain", "user not found", "user doesn't have a", "user does not exist", "user not exist",
		"user no longer", "user invalid", "unknown recipient", "unknown mailbox", "unknown address", "unknown email",
		"unknown local*", "unknown or illegal", "unknown virtual", "invalid recipient*", "invalid mailbox",
		"invalid user", "invalid address", "bad recipient", "bad destination", "recipient unknown",
		"recipient not found", "recipientnotfound*", "recipient does not exist", "recipient no longer",
		"recipient unrecognized", "recipient is not local", "recipient not exist*",
		"recipient address rejected: access denied", "recipient address rejected: user", "address does not exist",
		"address doesn't exist", "address not found", "address unknown", "address is unknown", "address invalid",
		"adresse invalide", "address was not found", "address couldn't be found", "address is not valid",
		"address no longer", "addressee unknown", "account does not exist",
		"account that you tried to reach does not exist", "account not found", "account unavailable",
		"account is disabled", "account has been disabled", "account is not active", "account is inactive",
		"account disabled", "account closed", "account that you tried to reach is disabled", "account is suspended",
		"account inactive", "mailbox not found", "mailbox does not exist", "mailbox doesn't exist",
		"mailbox is disabled", "mailbox disabled", "mailbox is inactive", "mailbox inactive", "mailbox not available",
		"no mailbox here", "no mailbox", "no mail box", "not a valid mailbox", "not a valid user", "not a known user",
		"not a valid recipient", "not our customer", "inactive email address", "inactive user", "inactive recipient",
		"disableduser", "is no longer valid", "user is disabled", "undeliverable address", "destinataire invalide",
		"utilisateur inconnu", "unrouteable address", "unroutable address", "unrouteable mail domain",
		"domain has no mail", "null mx", "nullmx", "does not accept mail", "indicated no smtp service",
		"does not like recipient", "doesn't handle mail for that user", "cannot deliver mail for",
		"no account by that name", "not listed in", "no valid recipients", "lookup failed for recipient",
		"existiert nicht", "niet bekend", "sconosciuto", "no existe", "nie istnieje", "user account not activated",
		"unknown account", "dd this user"}},
	// Our address or network on a list, or known as bad.
	{osm.Listed, []string{"blocked using", listWord, "block list*", "blocklist*", "blacklist*", "black list*",
		"blackhole list", "denylist*", "deny list", "dnsbl*", "rbl", "rblsmtpd", "rbls", "attrbl*", "ivmsip*",
		"spamhaus*", "spamcop*", "sorbs*", "uceprotect*", "barracudacentral", "barracuda reputation", "abusix*",
		"senderbase*", "senderscore*", "mailspike*", "cloudmark sender intelligence", "listed on", "listed in",
		"listed at", "listed by", "is listed", "ip listed", "due to listing", "s3150", "s3140", "s3151", "s845",
		"banned sending ip", "banned sender", "traffic not accepted from this ip", "reputation of the sending ip",
		"ip reputation", "poor reputation", "bad reputation", "low reputation", "none reputation",
		"mta's poor reputation", "bl000001", "bl000010", "bl21", "bl23", "bl", "nowl", "ip blocked",
		"ip address blocked", "ip address is blocked", "blocked for spam", "block for spam", "blocked for abuse",
		"client host blocked", "access from ip address", "adresse ip source bloquee", "your ip", "sending ip",
		"your network is", "host blocked", "ip temporarily blacklisted", "poor senderbase*", "bad ip"}},
	// The conversation broke.
	{osm.Connection, []string{"connection timed out", "connection reset*", "connection dropped", "connection lost",
		"lost connection", "unreachable", "timed out", "timeout*", "dns lookup failed", "dns failure", "dns error",
		"tls error", "tls negotiation", "handshake*", "network error", "unable to connect", "could not connect",
		"not accepting connections", "name server", "mail loop", "too many hops", "exceeded 50 hops", "loops back"}},
	{osm.Spam, []string{"spam*", "junkmail*", "junk mail", "antispam*", "anti spam", "unsolicited*", "ube", "uce",
		"user complaints", "permanently deferred", "suspicious*", "complaint*", "looks suspicious", "objectionable",
		"unwanted", "advertis*", "tss09", "tss11", "ts03"}},
	{osm.Policy, []string{"relay access denied", "relaying denied", "relay not permitted", "relaying not",
		"relaying is", "relay denied", "mail relay denied", "not permitted to relay", "open relay not allowed",
		"unable to relay", "relay*", "allowed rcpthosts", "authentication required", "authentification requise",
		"must issue a starttls", "requires encryption", "requires tls", "tls required", "tls is required",
		"encryption required", "message too large", "message too big", "message size exceeds", "size limit*",
		"maximum email size", "maximum message size", "exceeds the maximum", "larger than the current system limit",
		"exceeded google's message", "too large", "attachment*", "executable", "policy", "policies", "ph01", "cs01",
		"administrative prohibition", "administratively", "prohibited", "not authorized", "not allowed",
		"not permitted", "sendernotauthenticated*", "access denied", "permission denied", "envelope blocked",
		"blocked senders", "sender blocked", "sender denied", "sender rejected", "not accepted from",
		"not rfc compliant", "bare lf", "rejectmessage", "transport rules", "local policy", "security policies",
		"refused by", "access rejected", "message rejected", "message refused", "message denied", "denied by",
		"forbidden", "from header", "header syntax", "dkim*", "spf", "dmarc*", "your access to", "blocked*",
		"bloque*"}},
	// A receiver that says later and not why. Gmail's "try again later" at 421 and rspamd's greylisting read like this.
	{osm.Other, []string{"temporary system problem", "insufficient system storage", "insufficient disk space",
		"local error in processing", "internal error", "server error", "system resources", "out of memory",
		"service shutting down", "temporary lookup failure", "temporary server error", "configuration error",
		"syntax error", "bad sequence", "command unrecognized"}},
	{osm.Greylisted, []string{"try again later", "try later", "try again in", "retry later", "come back",
		"veuillez essayer plus tard", "temporarily deferred", "temporarily rejected", "temporarily unavailable",
		"temporarily blocked", "deferred"}},
	// What a receiver says of a mailbox when it means to say little.
	{osm.NoSuchUser, []string{"mailbox unavailable", "mailbox is unavailable", "mailbox name not allowed",
		"recipient rejected", "recipient address rejected", "address rejected", "undeliverable", "does not exist",
		"not found", "inactive", "disabled", "suspended"}},
}

// ownRows are what Exim itself writes where there was no reply, and what cPanel makes it write.
var ownRows = []refusalRow{
	{osm.RateLimited, []string{"has exceeded the max", "max emails per hour", "max defers and failures"}},
	{osm.MailboxFull, []string{"mailbox is full", "quota exceeded"}},
	{osm.NoSuchUser, []string{"unrouteable", "unroutable", "unknown user", "user unknown", "unknown local", "no such user",
		"no such person", "no such address", "address unknown", "unknown address", "indicated no smtp service"}},
	{osm.Connection, []string{"connection refused", "connection timed out", "connection reset*", "connection dropped",
		"connection closed", "connection lost", "lost connection", "closed connection", "no route to host", "unreachable",
		"retry time not", "retry timeout exceeded", "smtp timeout", "lmtp timeout", "timed out", "all relevant mx records",
		"host lookup", "dns lookup", "dns timeout", "lowest numbered mx record", "failing for a long time", "tls session",
		"tls error", "dane error", "certificate*", "network error", "broken pipe", "no host", "remote host closed",
		"cannot assign requested address", "name resolution"}},
}

// listWord stands for the host name of a block list in a text.
const listWord = "hostofablocklist"

// blockLists are domains of lists of addresses. A receiver names them in a link or as the list that it asked.
var blockLists = []string{"spamhaus.org", "spamhaus.net", "spamcop.net", "sorbs.net", "uceprotect.net",
	"uceprotect.org", "barracudacentral.org", "abuseat.org", "abusix.zone", "abusix.com", "mailspike.net",
	"mailspike.org", "psbl.org", "surriel.com", "invaluement.com", "junkemailfilter.com", "spamrats.com",
	"backscatterer.org", "blocklist.de", "manitu.net", "senderscore.com", "senderscore.org", "senderbase.org",
	"talosintelligence.com", "cloudmark.com", "gbudb.net", "interserver.net", "s5h.net", "0spam.org", "spfbl.net",
	"ipcheck.proofpoint.com", "support.proofpoint.com"}

// byDetail are enhanced status codes without their class (RFC 3463, RFC 7372, RFC 7505, Exchange Online's list).
var byDetail = map[string]osm.Refusal{
	"1.1": osm.NoSuchUser, "1.2": osm.NoSuchUser, "1.3": osm.NoSuchUser, "1.6": osm.NoSuchUser, "1.10": osm.NoSuchUser,
	"1.0": osm.NoSuchUser, "1.7": osm.Policy, "1.8": osm.Policy,
	"2.1": osm.NoSuchUser, "2.2": osm.MailboxFull, "2.3": osm.Policy, "2.121": osm.RateLimited, "2.122": osm.RateLimited,
	"3.4": osm.Policy, "4.1": osm.Connection, "4.5": osm.RateLimited,
	"7.28": osm.RateLimited, "7.500": osm.RateLimited, "7.511": osm.Listed, "7.650": osm.RateLimited, "7.708": osm.Listed,
	"7.705": osm.RateLimited, "7.750": osm.Spam,
}
