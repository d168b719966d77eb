-- What was true when. A fact that changes is kept with its time: the page of an hour says what held in that hour, however
-- much later it is computed again.

-- The first and the last word of each node about its basis, for each day and each basis: min and max, so that the order of
-- arrival cannot matter. A node that goes there and back within a day is known by those words alone.
CREATE TABLE node_basis (
    node     LowCardinality(String),
    day      UInt32 COMMENT 'UTC day of the report, since the epoch',
    basis    UInt8 COMMENT '0 process, 1 allocation',
    first_ms SimpleAggregateFunction(min, UInt64),
    last_ms  SimpleAggregateFunction(max, UInt64)
) ENGINE = AggregatingMergeTree
ORDER BY (node, day, basis);

ALTER TABLE node DROP COLUMN IF EXISTS basis;

-- Staff say that a card is gone for good, where its node cannot.
CREATE TABLE card_retired (
    card        String,
    from_ms     UInt64,
    reason      String,
    who         String,
    recorded_at DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree
ORDER BY (card, from_ms, recorded_at);

-- When each card that was ever retired was so. Derived from scans and from card_retired, and kept so that a change of it
-- takes pages away and brings them back.
CREATE TABLE card_retirement (
    card     String,
    from_ms  Array(UInt64) COMMENT 'ascending',
    until_ms Array(UInt64) COMMENT 'when it was listed again; the greatest number while it was not',
    listed_ms UInt64 COMMENT 'the latest listing that was looked at',
    told     UInt64 COMMENT 'how many words of staff were looked at',
    version  DateTime64(6, 'UTC')
) ENGINE = ReplacingMergeTree(version)
ORDER BY card;

-- A late answer asks which hours a process has rows in, and an erasure where its names stand: without this, all of raw is read.
ALTER TABLE usage_record ADD INDEX IF NOT EXISTS of_process process TYPE bloom_filter(0.01) GRANULARITY 1;
