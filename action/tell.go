package action

// Tellable tells whether a login or unix user is the name of a mailbox that can be told something.
func Tellable(owner string) bool { return owner != "" && plainAddress(owner) }
