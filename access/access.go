// Package access is who may come in: users with their passwords, second factors and roles, sessions that outlive a
// restart, tokens for programs, tickets for panels and links for customers, in one SQLite file of its own; and the trail of
// every change to them. It leaves to others what each role may do, and everything about HTTP but the session store
// (web).
package access
