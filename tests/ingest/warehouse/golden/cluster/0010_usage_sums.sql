CREATE TABLE page_write ON CLUSTER 'fleet' (
    hour    UInt32,
    writing UInt64 COMMENT 'fresh for each run of the rollup',
    done    UInt8 COMMENT '0 before the pages are written, 1 when they are',
    said_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/everywhere/{database}/{table}', '{shard}-{replica}')
ORDER BY (hour, writing, done);

CREATE TABLE usage_sum ON CLUSTER 'fleet' (
    owner       LowCardinality(String),
    hour        UInt32,
    quarter     UInt8,
    cluster     LowCardinality(String),
    model       LowCardinality(String),
    words       UInt32 COMMENT 'how many words of the hour these sums know',
    held_us     UInt64,
    billable_us UInt64,
    active_us   UInt64,
    measured_us UInt64
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/everywhere/{database}/{table}', '{shard}-{replica}')
PARTITION BY toYYYYMM(toDateTime(hour * 3600, 'UTC'))
ORDER BY (owner, hour, quarter, cluster, model, words);

CREATE TABLE hour_summed ON CLUSTER 'fleet' (
    hour  UInt32,
    words UInt32
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/everywhere/{database}/{table}', '{shard}-{replica}')
ORDER BY (hour, words);
