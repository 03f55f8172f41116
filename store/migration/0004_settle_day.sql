-- Indexes in a smaller form, by recipient too: those of days that are there are made anew, one day after the other.
DROP TABLE posting_DAY;

-- Whose messages are where: for each piece of message_DAY the seqs of those that bear a value. kind is an osm.KeyKind; kind 0 only
-- tells how far the pieces go. piece is the last seq that it covers, 0 for what came later.
CREATE TABLE posting_DAY (
    kind  INTEGER NOT NULL,
    piece INTEGER NOT NULL,
    last  INTEGER NOT NULL,          -- the last value in data
    data  BLOB NOT NULL,             -- see postinglist.go
    PRIMARY KEY (kind, piece, last)
) WITHOUT ROWID;

-- As before, with entries of 4 bytes (2 of the hash beside the bucket, 2 of the distance), and in bucket 256 which three bytes that
-- follow each other the texts have: a bit for each of 262144 hashes.
DELETE FROM text_DAY;

-- What is asked about a day that is over, and takes long to find out: see settled.go. It goes when the day is written to again.
CREATE TABLE settled_DAY (
    question TEXT PRIMARY KEY,
    answer   BLOB NOT NULL
) WITHOUT ROWID;
