CREATE TABLE usage_record_local ON CLUSTER 'fleet' (
    hour        UInt32 COMMENT 'start_ms / 3 600 000; a row never crosses a quarter hour',
    card        LowCardinality(String),
    process     UInt64,
    start_ms    UInt64,
    batch       UInt64 COMMENT 'hash of the report''s ce_id or of the imported file',
    end_ms      UInt64,
    node        LowCardinality(String),
    basis       UInt8 COMMENT '0 process, 1 allocation, 2 imported',
    owner       LowCardinality(String),
    workload    UInt64,
    share       UInt16 COMMENT 'permille',
    bridged     UInt8,
    active      Nullable(UInt64) COMMENT '1e-4 percent x ms',
    memory      Nullable(UInt64) COMMENT 'byte x ms',
    received_at DateTime64(3, 'UTC')
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toYYYYMMDD(received_at)
PRIMARY KEY (hour, card, process, start_ms)
ORDER BY (hour, card, process, start_ms, batch, end_ms, node, basis, owner, workload, share, bridged, active, memory)
SETTINGS allow_nullable_key = 1;

CREATE TABLE usage_record ON CLUSTER 'fleet' AS usage_record_local
ENGINE = Distributed('fleet', currentDatabase(), 'usage_record_local', cityHash64(card));

CREATE TABLE card_record_local ON CLUSTER 'fleet' (
    hour        UInt32,
    card        LowCardinality(String),
    start_ms    UInt64,
    batch       UInt64,
    end_ms      UInt64,
    node        LowCardinality(String),
    state       UInt8 COMMENT '0 observed, 1 nvml_failed, 2 spool_full, 3 absent, 4 mig_parent',
    energy_mj   Nullable(UInt64),
    received_at DateTime64(3, 'UTC')
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toYYYYMMDD(received_at)
PRIMARY KEY (hour, card, start_ms)
ORDER BY (hour, card, start_ms, batch, end_ms, node, state, energy_mj)
SETTINGS allow_nullable_key = 1;

CREATE TABLE card_record ON CLUSTER 'fleet' AS card_record_local
ENGINE = Distributed('fleet', currentDatabase(), 'card_record_local', cityHash64(card));

CREATE TABLE fault ON CLUSTER 'fleet' (
    card         LowCardinality(String),
    opened_at_ms UInt64,
    closed_at_ms UInt64 COMMENT '0 = still open',
    reason       LowCardinality(String),
    node         LowCardinality(String),
    batch        UInt64,
    received_at  DateTime64(3, 'UTC')
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/everywhere/{database}/{table}', '{shard}-{replica}')
ORDER BY (card, opened_at_ms, closed_at_ms, reason, batch);

CREATE TABLE attribution ON CLUSTER 'fleet' (
    process     UInt64,
    at_ms       UInt64 COMMENT 'wall clock of the report that carried the answer',
    owner       LowCardinality(String),
    workload    UInt64,
    share       UInt16,
    node        LowCardinality(String),
    batch       UInt64,
    received_at DateTime64(3, 'UTC')
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/everywhere/{database}/{table}', '{shard}-{replica}')
ORDER BY (process, at_ms, owner, workload, share, batch);

CREATE TABLE process_local ON CLUSTER 'fleet' (
    process      UInt64,
    node         LowCardinality(String),
    boot_id      LowCardinality(String),
    pid          UInt32,
    start_ticks  UInt64,
    uid          Nullable(UInt32),
    command      String,
    cgroup       String,
    container_id String
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
ORDER BY process;

CREATE TABLE process ON CLUSTER 'fleet' AS process_local
ENGINE = Distributed('fleet', currentDatabase(), 'process_local', process);

CREATE TABLE workload_local ON CLUSTER 'fleet' (
    workload UInt64,
    owner    LowCardinality(String),
    name     String
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
ORDER BY workload;

CREATE TABLE workload ON CLUSTER 'fleet' AS workload_local
ENGINE = Distributed('fleet', currentDatabase(), 'workload_local', workload);

CREATE TABLE card ON CLUSTER 'fleet' (
    card          String,
    scanned       UInt8,
    node          LowCardinality(String),
    cluster       LowCardinality(String),
    model         SimpleAggregateFunction(max, String),
    parent        SimpleAggregateFunction(max, String) COMMENT 'the GPU a MIG instance is cut from',
    memory_bytes  SimpleAggregateFunction(max, UInt64) COMMENT '0 = unknown',
    first_seen_ms SimpleAggregateFunction(min, UInt64),
    last_seen_ms  SimpleAggregateFunction(max, UInt64)
) ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/everywhere/{database}/{table}', '{shard}-{replica}')
ORDER BY (card, scanned, node, cluster);

CREATE TABLE node ON CLUSTER 'fleet' (
    node       LowCardinality(String),
    cluster    LowCardinality(String),
    basis      UInt8,
    boot_id    String,
    seen_at_ms UInt64
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/everywhere/{database}/{table}', '{shard}-{replica}', seen_at_ms)
ORDER BY node;

CREATE TABLE node_scan_local ON CLUSTER 'fleet' (
    node        LowCardinality(String),
    at_ms       UInt64,
    cards       Array(String),
    batch       UInt64,
    received_at DateTime64(3, 'UTC')
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toYYYYMMDD(received_at)
ORDER BY (node, at_ms, batch);

CREATE TABLE node_scan ON CLUSTER 'fleet' AS node_scan_local
ENGINE = Distributed('fleet', currentDatabase(), 'node_scan_local', cityHash64(node));

CREATE TABLE ingest_batch_local ON CLUSTER 'fleet' (
    batch         UInt64,
    source_id     String COMMENT 'ce_id, or sha256 of the imported file',
    node          LowCardinality(String),
    boot_id       String,
    position      String COMMENT 'topic/partition/offset, spool file and sequence, or file name',
    started_at_ms UInt64,
    ended_at_ms   UInt64,
    wall_ms       UInt64,
    monotonic_ms  UInt64,
    ntp_synced    Nullable(UInt8),
    sent_at_ms    Nullable(UInt64),
    usage_rows    UInt32,
    card_rows     UInt32,
    received_at   DateTime64(3, 'UTC')
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toYYYYMMDD(received_at)
ORDER BY (node, wall_ms, batch);

CREATE TABLE ingest_batch ON CLUSTER 'fleet' AS ingest_batch_local
ENGINE = Distributed('fleet', currentDatabase(), 'ingest_batch_local', cityHash64(node));

CREATE TABLE dead_letter_local ON CLUSTER 'fleet' (
    letter      UInt64 COMMENT 'hash of position and body: the same message is one letter, however often it is read',
    received_at DateTime64(3, 'UTC'),
    reason      LowCardinality(String),
    path        String COMMENT 'to the bad field',
    detail      String,
    source_id   String COMMENT 'ce_id, where it could be read',
    node        String,
    position    String,
    headers     Array(Tuple(name String, value String)),
    body        String
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toYYYYMMDD(received_at)
ORDER BY letter;

CREATE TABLE dead_letter ON CLUSTER 'fleet' AS dead_letter_local
ENGINE = Distributed('fleet', currentDatabase(), 'dead_letter_local', letter);
