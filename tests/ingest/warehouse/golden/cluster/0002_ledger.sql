CREATE TABLE dirty_hour ON CLUSTER 'fleet' (
    hour      UInt32,
    node      LowCardinality(String),
    mark      UInt64 COMMENT 'fresh for each insert',
    done      UInt8,
    marked_at DateTime('UTC') DEFAULT now('UTC')
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/everywhere/{database}/{table}', '{shard}-{replica}', done)
ORDER BY (hour, node, mark)
TTL marked_at + INTERVAL 3 DAY DELETE WHERE done = 1;

CREATE TABLE card_hour_local ON CLUSTER 'fleet' (
    hour    UInt32,
    card    LowCardinality(String),
    cluster LowCardinality(String),
    model   LowCardinality(String),
    basis   UInt8,
    by_owner Nested (
        quarter       UInt8,
        node          LowCardinality(String),
        owner         LowCardinality(String),
        held_us       UInt64,
        billable_us   UInt64,
        active_us     UInt64,
        measured_us   UInt64,
        memory_mib_ms UInt64,
        bridged_us    UInt64
    ),
    by_workload Nested (
        quarter       UInt8,
        node          LowCardinality(String),
        owner         LowCardinality(String),
        workload      UInt64,
        held_us       UInt64,
        billable_us   UInt64,
        active_us     UInt64,
        measured_us   UInt64,
        memory_mib_ms UInt64,
        bridged_us    UInt64
    ),
    idle_us     Array(UInt64) COMMENT 'one for each quarter, as the two below',
    faulted_us  Array(UInt64),
    rounding_us Array(UInt64),
    unobserved Nested (
        quarter       UInt8,
        reason        LowCardinality(String),
        unobserved_us UInt64
    ),
    raw_rows UInt64 COMMENT 'distinct raw rows seen: a recomputation that finds fewer must not replace this page',
    version  DateTime64(6, 'UTC') COMMENT 'engine clock before raw was read: of two racing pages the later reader wins',

    CONSTRAINT four_quarters CHECK length(idle_us) = 4 AND length(faulted_us) = 4 AND length(rounding_us) = 4,
    CONSTRAINT whole_quarters CHECK arrayAll(
        q -> arraySum((us, at) -> if(at = q, us, 0), by_owner.billable_us, by_owner.quarter)
           + arraySum((us, at) -> if(at = q, us, 0), unobserved.unobserved_us, unobserved.quarter)
           + idle_us[q + 1] + faulted_us[q + 1] + rounding_us[q + 1] = 900000000,
        range(4)),
    CONSTRAINT workloads_make_owners CHECK arrayAll(
        q -> arraySum((us, at) -> if(at = q, us, 0), by_owner.billable_us, by_owner.quarter)
           = arraySum((us, at) -> if(at = q, us, 0), by_workload.billable_us, by_workload.quarter),
        range(4))
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', version)
PARTITION BY toYYYYMM(toDateTime(hour * 3600, 'UTC'))
ORDER BY (hour, card);

CREATE TABLE card_hour ON CLUSTER 'fleet' AS card_hour_local
ENGINE = Distributed('fleet', currentDatabase(), 'card_hour_local', cityHash64(card));

CREATE TABLE ledger_breach_local ON CLUSTER 'fleet' (
    hour    UInt32,
    card    String,
    version DateTime64(6, 'UTC'),
    quarter UInt8,
    sum_us  Int64 COMMENT 'what the terms add up to instead of 900 000 000',
    page    String COMMENT 'the refused page as JSON'
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}', version)
ORDER BY (hour, card, quarter);

CREATE TABLE ledger_breach ON CLUSTER 'fleet' AS ledger_breach_local
ENGINE = Distributed('fleet', currentDatabase(), 'ledger_breach_local', cityHash64(card));

CREATE TABLE billed_quarter_local ON CLUSTER 'fleet' (
    invoice     String COMMENT 'the invoice''s id in the money store',
    line        UInt32 COMMENT 'position of the line',
    card        LowCardinality(String),
    node        LowCardinality(String),
    cluster     LowCardinality(String),
    model       LowCardinality(String),
    owner       LowCardinality(String),
    hour        UInt32,
    quarter     UInt8 COMMENT 'the first of the row',
    billable_us Array(UInt64) COMMENT 'of that quarter and those after it, of one day at the most; 0 where nothing is billed'
) ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/{database}/{table}', '{replica}')
PARTITION BY toYYYYMM(toDateTime(hour * 3600, 'UTC'))
ORDER BY (invoice, line, card, node, owner, hour, quarter);

CREATE TABLE billed_quarter ON CLUSTER 'fleet' AS billed_quarter_local
ENGINE = Distributed('fleet', currentDatabase(), 'billed_quarter_local', cityHash64(card));
