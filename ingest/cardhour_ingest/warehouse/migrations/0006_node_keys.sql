-- Which key a node signs its messages with, as staff said. Facts: a key that was enrolled is never given to another node, and one
-- that was revoked never comes back; what holds now follows from all rows.
CREATE TABLE node_key (
    key_id      String COMMENT 'hash of the public key',
    node        LowCardinality(String),
    public_key  String COMMENT 'ed25519: and base64',
    fact        LowCardinality(String) COMMENT 'enrolled or revoked',
    from_ms     UInt64 COMMENT 'of a revocation: messages that arrive from then on are refused; 0 of an enrolment',
    reason      String,
    who         String,
    recorded_at DateTime64(6, 'UTC')
) ENGINE = ReplacingMergeTree
ORDER BY (node, key_id, fact, from_ms, recorded_at);
