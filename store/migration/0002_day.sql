-- One set of tables for each UTC day, so that a day is dropped whole. DAY stands for its date, as in message_20261123.
-- Times are milliseconds since the day began (more than a day for what came later). Texts are ids of string_DAY, 0 is
-- the empty text. "line" is the number of the block of line_* that holds the raw line.

CREATE TABLE string_DAY (
    id   INTEGER PRIMARY KEY,
    text TEXT NOT NULL -- mostly unique: a text forgotten by the writer's bounded memory gets a second id
);

CREATE TABLE message_DAY (
    seq         INTEGER PRIMARY KEY, -- in the order of the log
    key         INTEGER NOT NULL,    -- Exim's id as a number; negative: a hash of an id that does not fit one
    time        INTEGER NOT NULL,
    class       INTEGER NOT NULL,    -- osm.Class
    action      INTEGER NOT NULL,    -- osm.Action of the verdict
    flags       INTEGER NOT NULL,    -- see row.go
    sender      INTEGER NOT NULL,
    login       INTEGER NOT NULL,
    account     INTEGER NOT NULL,
    user        INTEGER NOT NULL,
    script      INTEGER NOT NULL,
    client      INTEGER NOT NULL,
    subject     INTEGER NOT NULL,
    delivered   INTEGER NOT NULL,    -- attempts, by outcome
    deferred    INTEGER NOT NULL,
    failed      INTEGER NOT NULL,
    suppressed  INTEGER NOT NULL,
    size        INTEGER NOT NULL,
    recipients  INTEGER NOT NULL,    -- how many the envelope had, as far as it was logged
    envelope    BLOB,                -- their ids, as differences in signed varints
    host        INTEGER NOT NULL,    -- ["helo","verified name","country","asn"]
    port        INTEGER NOT NULL,    -- of the client
    way         INTEGER NOT NULL,    -- ["protocol","authenticator","cipher","server port","queue"]
    sender_from INTEGER NOT NULL,    -- address in the From header
    parent      INTEGER NOT NULL,    -- id of the message a bounce is about
    exim_id     INTEGER NOT NULL,    -- only where key is a hash
    completed   INTEGER,
    line        INTEGER NOT NULL,    -- of the arrival
    last_line   INTEGER NOT NULL     -- of the last thing that was heard of the message
);

CREATE UNIQUE INDEX message_key_DAY ON message_DAY (key);

CREATE TABLE delivery_DAY (
    id        INTEGER PRIMARY KEY,   -- seq of the message << 20 | number of the attempt: no index is needed
    time      INTEGER NOT NULL,
    outcome   INTEGER NOT NULL,      -- osm.Outcome
    refusal   INTEGER NOT NULL,      -- osm.Refusal
    recipient INTEGER NOT NULL,
    original  INTEGER NOT NULL,      -- 0: equal to recipient
    route     INTEGER NOT NULL,      -- ["router","transport","host","ip","port","remote"]
    code      INTEGER NOT NULL,
    enhanced  INTEGER NOT NULL,
    text      INTEGER NOT NULL,      -- of deferrals and failures; the rest have theirs in the raw line
    line      INTEGER NOT NULL
);

CREATE TABLE verdict_DAY (
    seq      INTEGER PRIMARY KEY,    -- of the message
    id       TEXT NOT NULL,
    rule     TEXT NOT NULL,
    reason   TEXT NOT NULL,
    detail   TEXT NOT NULL,
    kind     INTEGER NOT NULL,       -- osm.KeyKind
    value    TEXT NOT NULL,
    score    REAL NOT NULL,
    findings TEXT NOT NULL           -- JSON
);

CREATE TABLE event_DAY (
    id        INTEGER PRIMARY KEY,
    time      INTEGER NOT NULL,
    kind      INTEGER NOT NULL,      -- EventKind
    message   INTEGER,               -- its seq; null when it is about none that is known
    exim_id   INTEGER NOT NULL,      -- Exim's id, where message is null
    client    INTEGER NOT NULL,
    login     INTEGER NOT NULL,
    sender    INTEGER NOT NULL,
    recipient INTEGER NOT NULL,
    text      INTEGER NOT NULL,
    line      INTEGER NOT NULL
);

-- Sums for reports, by the hour in which things happened. kind is an osm.KeyKind and value a text; kind 0 holds the
-- totals; kind 100 counts events: value is the EventKind, messages their number.
CREATE TABLE hourly_DAY (
    kind       INTEGER NOT NULL,
    value      INTEGER NOT NULL,
    hour       INTEGER NOT NULL,
    class      INTEGER NOT NULL,
    messages   INTEGER NOT NULL,
    recipients INTEGER NOT NULL,
    bytes      INTEGER NOT NULL,
    stopped    INTEGER NOT NULL,
    delivered  INTEGER NOT NULL,
    remote     INTEGER NOT NULL,
    deferred   INTEGER NOT NULL,
    failed     INTEGER NOT NULL,
    PRIMARY KEY (kind, value, hour, class)
) WITHOUT ROWID;

-- The deferrals and failures among them, by why they were refused.
CREATE TABLE refusal_DAY (
    kind    INTEGER NOT NULL,
    value   INTEGER NOT NULL,
    hour    INTEGER NOT NULL,
    class   INTEGER NOT NULL,
    refusal INTEGER NOT NULL,
    count   INTEGER NOT NULL,
    PRIMARY KEY (kind, value, hour, class, refusal)
) WITHOUT ROWID;

-- Raw lines, compressed (zstd). A block that is still growing is kept in parts, one for each flush; when it is full it
-- becomes one part. Block numbers go on from day to day.
CREATE TABLE line_DAY (
    block INTEGER NOT NULL,
    part  INTEGER NOT NULL,
    data  BLOB NOT NULL,
    PRIMARY KEY (block, part)
);
