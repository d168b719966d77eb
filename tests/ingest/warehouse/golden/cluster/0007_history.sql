CREATE TABLE node_basis ON CLUSTER 'fleet' (
    node     LowCardinality(String),
    day      UInt32 COMMENT 'UTC day of the report, since the epoch',
    basis    UInt8 COMMENT '0 process, 1 allocation',
    first_ms SimpleAggregateFunction(min, UInt64),
    last_ms  SimpleAggregateFunction(max, UInt64)
) ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/everywhere/{database}/{table}', '{shard}-{replica}')
ORDER BY (node, day, basis);

ALTER TABLE node DROP COLUMN IF EXISTS basis;

CREATE TABLE card_retired ON CLUSTER 'fleet' (
    card        String,
    from_ms     UInt64,
    reason      String,
    who         String,
    recorded_at DateTime64(3, 'UTC')
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/everywhere/{database}/{table}', '{shard}-{replica}')
ORDER BY (card, from_ms, recorded_at);

CREATE TABLE card_retirement ON CLUSTER 'fleet' (
    card     String,
    from_ms  Array(UInt64) COMMENT 'ascending',
    until_ms Array(UInt64) COMMENT 'when it was listed again; the greatest number while it was not',
    listed_ms UInt64 COMMENT 'the latest listing that was looked at',
    told     UInt64 COMMENT 'how many words of staff were looked at',
    version  DateTime64(6, 'UTC')
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/everywhere/{database}/{table}', '{shard}-{replica}', version)
ORDER BY card;

ALTER TABLE usage_record_local ON CLUSTER 'fleet' ADD INDEX IF NOT EXISTS of_process process TYPE bloom_filter(0.01) GRANULARITY 1;
