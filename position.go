package osm

// Position says how far a log has been read. It is saved in the same transaction as what was read, never the one
// without the other. Device and inode follow a file through renames; the fingerprint tells a reused inode or a truncated
// and rewritten file from the one that was read.
type Position struct {
	Path        string // where the file was found
	Device      uint64
	Inode       uint64
	Offset      int64  // bytes read, up to the end of a whole line
	Fingerprint uint64 // hash of the file's first bytes
	Hashed      int    // how many of them
}
