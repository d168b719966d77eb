CREATE TABLE erasure ON CLUSTER 'fleet' (
    erasure     UInt64,
    state       LowCardinality(String) COMMENT 'begun or done; an erasure that was cut off has one row, and is done by repeating it',
    customer    String,
    before_ms   UInt64 COMMENT 'what was reported of earlier hours',
    owners      UInt32,
    usage_rows  UInt64,
    processes   UInt64 COMMENT 'descriptions of processes',
    workloads   UInt64 COMMENT 'names of workloads',
    letters     UInt64 COMMENT 'messages of dead letters',
    who         String,
    recorded_at DateTime64(3, 'UTC')
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/everywhere/{database}/{table}', '{shard}-{replica}')
ORDER BY (erasure, state);

CREATE TABLE erasure_key ON CLUSTER 'fleet' (
    erasure UInt64,
    kind    LowCardinality(String) COMMENT 'process, answered, workload or letter',
    key     UInt64
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/everywhere/{database}/{table}', '{shard}-{replica}')
ORDER BY (erasure, kind, key);
