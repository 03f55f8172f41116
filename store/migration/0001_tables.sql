-- What is not history. History lives in tables of its own for each day: see the files *_day.sql.

-- How far each log was read: saved with what was read, in one transaction.
CREATE TABLE position (
    path        TEXT NOT NULL,
    device      INTEGER NOT NULL,
    inode       INTEGER NOT NULL,
    offset      INTEGER NOT NULL,
    fingerprint INTEGER NOT NULL,
    hashed      INTEGER NOT NULL,
    modified    INTEGER NOT NULL
);

-- What the detection has learned, in blobs of its own making.
CREATE TABLE state (
    key   TEXT PRIMARY KEY,
    value BLOB NOT NULL
);
