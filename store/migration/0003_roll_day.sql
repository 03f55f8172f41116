-- Where texts are: for each piece of string_DAY the hashes of its texts, in 256 buckets. piece is the last id that it covers. A
-- bucket holds 5 bytes for each text: 3 of its hash, 2 of its distance from the piece's last id.
CREATE TABLE text_DAY (
    bucket INTEGER NOT NULL,
    piece  INTEGER NOT NULL,
    data   BLOB NOT NULL,
    PRIMARY KEY (bucket, piece)
) WITHOUT ROWID;

-- Whose messages are where: for each piece of message_DAY the seqs of those that bear a value. kind is an osm.KeyKind and value
-- a text; kind 0 only tells how far the pieces go. piece is the last seq that it covers, negative for one that came later.
CREATE TABLE posting_DAY (
    kind  INTEGER NOT NULL,
    value INTEGER NOT NULL,
    piece INTEGER NOT NULL,
    seqs  BLOB NOT NULL,             -- differences in varints, from 0 up
    PRIMARY KEY (kind, value, piece)
) WITHOUT ROWID;

-- Refusals by account, receiver, kind and hour. last, text and seq are of the latest one.
CREATE TABLE answer_DAY (
    account  INTEGER NOT NULL,
    domain   TEXT NOT NULL,          -- of the recipients, in lower case
    host     TEXT NOT NULL,
    refusal  INTEGER NOT NULL,       -- osm.Refusal
    code     INTEGER NOT NULL,
    enhanced INTEGER NOT NULL,
    hour     INTEGER NOT NULL,       -- since the day of the message began
    count    INTEGER NOT NULL,
    last     INTEGER NOT NULL,
    text     INTEGER NOT NULL,
    seq      INTEGER NOT NULL,
    PRIMARY KEY (account, domain, host, refusal, code, enhanced, hour)
) WITHOUT ROWID;

INSERT INTO answer_DAY
    SELECT account, lower(substr(r.text, length(rtrim(r.text, replace(r.text, '@', ''))) + 1)), ifnull(json_extract(w.text, '$[2]'), ''), refusal, code,
        enhanced, d.time / 3600000, count(*), max(d.time), d.text, seq
    FROM delivery_DAY AS d JOIN message_DAY ON seq = d.id >> 20 JOIN string_DAY AS r ON r.id = recipient LEFT JOIN string_DAY AS w ON w.id = route
    WHERE refusal <> 0 AND instr(r.text, '@') > 0 GROUP BY 1, 2, 3, 4, 5, 6, 7;

-- Verdicts by account, rule and hour.
CREATE TABLE hit_DAY (
    account  INTEGER NOT NULL,
    rule     TEXT NOT NULL,
    hour     INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    stopped  INTEGER NOT NULL,
    last     INTEGER NOT NULL,
    PRIMARY KEY (account, rule, hour)
) WITHOUT ROWID;

INSERT INTO hit_DAY
    SELECT account, rule, time / 3600000, count(*), sum(action <> 0 AND flags & 4 = 0), max(time)
    FROM verdict_DAY JOIN message_DAY USING (seq) GROUP BY 1, 2, 3;

CREATE INDEX verdict_id_DAY ON verdict_DAY (id);
