package osm

// Position says how far a log has been read. It is saved in the same transaction as what was read, never the one
// without the other. Device and inode follow a file through renames; the fingerprint tells a reused inode or a truncated
// and rewritten file from the one that was read, and finds a file again that was compressed or copied meanwhile.
// There is one Position for each log, whatever file of it is being read: a later one of the same Path replaces it.
type Position struct {
	Path        string // the log as it is followed (mainlog), also while a rotated file of it (mainlog.1) is read
	Device      uint64 // of the file that is being read; both 0 before there is one
	Inode       uint64
	Offset      int64  // bytes read (of a compressed file: decompressed), up to the end of a whole line
	Fingerprint uint64 // hash of the file's first bytes
	Hashed      int    // how many of them, never more than Offset
	Modified    int64  // the file's modification time when it was read, unix nanoseconds
}
