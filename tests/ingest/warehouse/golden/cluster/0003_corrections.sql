CREATE TABLE retraction ON CLUSTER 'fleet' (
    retraction  UInt64,
    scope       LowCardinality(String) COMMENT 'batch, node, card, process or owner',
    subject     String COMMENT 'the name, or the 64-bit key in decimal',
    from_ms     UInt64,
    to_ms       UInt64,
    reason      String,
    who         String,
    recorded_at DateTime64(3, 'UTC')
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/everywhere/{database}/{table}', '{shard}-{replica}')
ORDER BY retraction;

CREATE TABLE card_home ON CLUSTER 'fleet' (
    card    String,
    from_ms Array(UInt64) COMMENT 'ascending; the first home holds for all time before the second',
    node    Array(String),
    version DateTime64(6, 'UTC')
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/everywhere/{database}/{table}', '{shard}-{replica}', version)
ORDER BY card;

CREATE TABLE card_move ON CLUSTER 'fleet' (
    card        String,
    from_ms     UInt64,
    node        String,
    who         String,
    recorded_at DateTime64(3, 'UTC')
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/everywhere/{database}/{table}', '{shard}-{replica}')
ORDER BY (card, from_ms, node, recorded_at);
