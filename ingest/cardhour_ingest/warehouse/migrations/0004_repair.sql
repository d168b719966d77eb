-- What was done about messages, rows and pages that went wrong. Append-only, as everything else that people decide.

-- Each attempt to read a dead letter again. `begun` comes before anything is stored, so that a crash in between repeats with
-- the same offset; `accepted` or `rejected` says how it ended.
CREATE TABLE letter_replay (
    letter      UInt64,
    replayed_at DateTime64(6, 'UTC'),
    outcome     LowCardinality(String) COMMENT 'begun, accepted or rejected',
    offset_ms   Int64 COMMENT 'taken from every time in the message: the sender''s clock less the broker''s',
    reason      LowCardinality(String) COMMENT 'why it was rejected again; empty otherwise',
    path        String,
    detail      String,
    who         String
) ENGINE = ReplacingMergeTree
ORDER BY (letter, replayed_at, outcome);

-- Days of arrival whose raw rows are gone. A page of an hour before them may have been computed from more than is left.
CREATE TABLE raw_expiry (
    day        Date COMMENT 'UTC day of arrival, as usage_record and card_record are partitioned',
    expired_at DateTime64(3, 'UTC'),
    rows       UInt64
) ENGINE = ReplacingMergeTree
ORDER BY (day, expired_at);

-- Pages that a comparison computed otherwise than they stand in the ledger.
CREATE TABLE ledger_difference (
    found_at DateTime64(6, 'UTC'),
    hour     UInt32,
    card     String,
    ledger   String COMMENT 'the page as JSON; empty where there is none',
    raw      String COMMENT 'what raw gives, likewise'
) ENGINE = ReplacingMergeTree
ORDER BY (found_at, hour, card);
