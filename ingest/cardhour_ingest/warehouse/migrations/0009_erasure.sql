-- That somebody's data were erased is itself kept. Raw is never edited, and this is the one exception, which the law asks for.

CREATE TABLE erasure (
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
) ENGINE = ReplacingMergeTree
ORDER BY (erasure, state);

-- The keys that an erasure under way is about; none are left when it is done.
CREATE TABLE erasure_key (
    erasure UInt64,
    kind    LowCardinality(String) COMMENT 'process, answered, workload or letter',
    key     UInt64
) ENGINE = ReplacingMergeTree
ORDER BY (erasure, kind, key);
