-- What each owner had of all cards of a model, quarter by quarter. A month of 100 000 cards is 72 M pages; a question that names
-- no card is answered from these sums, wherever they are known to be those of the pages.

-- Who writes pages of an hour says so before and after. An hour's words only grow in number, so sums that knew as many as there
-- are now were computed when the pages were what they are now.
CREATE TABLE page_write (
    hour    UInt32,
    writing UInt64 COMMENT 'fresh for each run of the rollup',
    done    UInt8 COMMENT '0 before the pages are written, 1 when they are',
    said_at DateTime64(6, 'UTC') DEFAULT now64(6, 'UTC')
) ENGINE = ReplacingMergeTree
ORDER BY (hour, writing, done);

CREATE TABLE usage_sum (
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
) ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(toDateTime(hour * 3600, 'UTC'))
ORDER BY (owner, hour, quarter, cluster, model, words);

-- The hours whose sums are there as a whole: a row comes after all of its sums.
CREATE TABLE hour_summed (
    hour  UInt32,
    words UInt32
) ENGINE = ReplacingMergeTree
ORDER BY (hour, words);
