CREATE TABLE letter_replay ON CLUSTER 'fleet' (
    letter      UInt64,
    replayed_at DateTime64(6, 'UTC'),
    outcome     LowCardinality(String) COMMENT 'begun, accepted or rejected',
    offset_ms   Int64 COMMENT 'taken from every time in the message: the sender''s clock less the broker''s',
    reason      LowCardinality(String) COMMENT 'why it was rejected again; empty otherwise',
    path        String,
    detail      String,
    who         String
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/everywhere/{database}/{table}', '{shard}-{replica}')
ORDER BY (letter, replayed_at, outcome);

CREATE TABLE raw_expiry ON CLUSTER 'fleet' (
    day        Date COMMENT 'UTC day of arrival, as usage_record and card_record are partitioned',
    expired_at DateTime64(3, 'UTC'),
    rows       UInt64
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/everywhere/{database}/{table}', '{shard}-{replica}')
ORDER BY (day, expired_at);

CREATE TABLE ledger_difference ON CLUSTER 'fleet' (
    found_at DateTime64(6, 'UTC'),
    hour     UInt32,
    card     String,
    ledger   String COMMENT 'the page as JSON; empty where there is none',
    raw      String COMMENT 'what raw gives, likewise'
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/everywhere/{database}/{table}', '{shard}-{replica}')
ORDER BY (found_at, hour, card);
