package exim

// foreign looks for signs in an arrival.
func foreign(e *Entry) Sign { return NoSign }
