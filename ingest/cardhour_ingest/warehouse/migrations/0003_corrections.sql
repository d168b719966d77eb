-- What corrects raw facts without touching them. Each row is itself a fact: appended, dated, and never edited.

-- Takes [from_ms, to_ms) out of the rows of its subject that were received before it, so that a corrected import counts.
CREATE TABLE retraction (
    retraction  UInt64,
    scope       LowCardinality(String) COMMENT 'batch, node, card, process or owner',
    subject     String COMMENT 'the name, or the 64-bit key in decimal',
    from_ms     UInt64,
    to_ms       UInt64,
    reason      String,
    who         String,
    recorded_at DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree
ORDER BY retraction;

-- Where a card that more than one node has listed was at home, and since when. Only such cards have a row. Derived from
-- scans and moves, and kept so that a change of it marks the hours it touches.
CREATE TABLE card_home (
    card    String,
    from_ms Array(UInt64) COMMENT 'ascending; the first home holds for all time before the second',
    node    Array(String),
    version DateTime64(6, 'UTC')
) ENGINE = ReplacingMergeTree(version)
ORDER BY card;

-- A move that staff recorded, for a card whose old node cannot say that it is gone.
CREATE TABLE card_move (
    card        String,
    from_ms     UInt64,
    node        String,
    who         String,
    recorded_at DateTime64(3, 'UTC')
) ENGINE = ReplacingMergeTree
ORDER BY (card, from_ms, node, recorded_at);
