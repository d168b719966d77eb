CREATE TABLE IF NOT EXISTS migration ON CLUSTER 'fleet' (
    number     UInt32,
    name       String,
    sha256     String,
    state      LowCardinality(String) COMMENT 'started or done; a migration has one row of each',
    applied_at DateTime64(3, 'UTC')
) ENGINE = ReplicatedMergeTree('/clickhouse/tables/everywhere/{database}/{table}', '{shard}-{replica}')
ORDER BY (number, applied_at);
