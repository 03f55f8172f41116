-- Who may come in. Times are Unix milliseconds. Of every secret only a hash is kept, but for the keys of one-time codes and of
-- links, which are needed to check them: the file is readable by its owner alone.

CREATE TABLE user (
    name      TEXT PRIMARY KEY,
    role      TEXT NOT NULL,
    accounts  TEXT NOT NULL DEFAULT '[]', -- JSON: hosting accounts whose mail a reseller or customer sees
    password  TEXT NOT NULL DEFAULT '',   -- argon2id with its parameters; '': none
    oidc      TEXT UNIQUE,                -- what the provider calls him
    handle    BLOB NOT NULL,              -- passkeys know him by it
    totp      TEXT NOT NULL DEFAULT '',   -- key of one-time codes in base32
    totp_new  TEXT NOT NULL DEFAULT '',   -- one that he has not confirmed yet
    totp_last INTEGER NOT NULL DEFAULT 0, -- number of the code that was used last
    created   INTEGER NOT NULL,
    seen      INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE recovery (
    user TEXT NOT NULL REFERENCES user ON DELETE CASCADE,
    hash BLOB NOT NULL,
    PRIMARY KEY (user, hash)
) WITHOUT ROWID;

CREATE TABLE passkey (
    id         TEXT PRIMARY KEY,
    user       TEXT NOT NULL REFERENCES user ON DELETE CASCADE,
    name       TEXT NOT NULL,
    credential TEXT NOT NULL, -- JSON
    created    INTEGER NOT NULL,
    used       INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE TABLE session (
    token   TEXT PRIMARY KEY, -- a hash of it
    user    TEXT NOT NULL,    -- '': nobody yet; '@guest': nobody of ours
    data    BLOB NOT NULL,
    expires INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX session_expires ON session (expires);
CREATE INDEX session_user ON session (user);

CREATE TABLE token (
    id      TEXT PRIMARY KEY,
    user    TEXT NOT NULL REFERENCES user ON DELETE CASCADE,
    name    TEXT NOT NULL,
    hash    BLOB NOT NULL UNIQUE,
    scopes  TEXT NOT NULL,    -- JSON; []: whatever the user may
    created INTEGER NOT NULL,
    expires INTEGER NOT NULL, -- 0: never
    used    INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;

CREATE TABLE ticket (
    hash    BLOB PRIMARY KEY,
    guest   TEXT NOT NULL,    -- JSON
    expires INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE secret (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE trail (
    seq  INTEGER PRIMARY KEY AUTOINCREMENT,
    id   TEXT NOT NULL,
    time INTEGER NOT NULL,
    by   TEXT NOT NULL,
    what TEXT NOT NULL,
    whom TEXT NOT NULL,
    text TEXT NOT NULL
)
