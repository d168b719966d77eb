-- The usage rows of complex quarters, each with the batch it came in, and with the owner that a late answer gave to an unknown
-- process. An answer that was itself retracted does not count. What is only looked up asks raw again for the one column that it
-- needs: the engine computes a WITH anew for each use, and raw_row is all columns, without repeats.
CREATE TABLE {record:Identifier} ENGINE = Memory AS
WITH raw_row AS (
    SELECT DISTINCT hour, card::String AS card, toUInt8(intDiv(start_ms, 900000) % 4) AS quarter, process,
           toUInt32(start_ms % 900000) AS s, toUInt32(end_ms - (start_ms - start_ms % 900000)) AS e,
           node::String AS node, basis, owner::String AS raw_owner, workload AS raw_workload, share AS raw_share,
           bridged, active, memory, batch, received_at
    FROM usage_record
    WHERE (hour, card) IN (SELECT hour, card FROM {quick:Identifier} WHERE complex) AND end_ms > start_ms
      AND (hour, card, intDiv(start_ms, 900000) % 4) IN (SELECT hour, card, quarter FROM {quick:Identifier} WHERE complex)
),
answer AS (
    SELECT process, argMax((owner::String, workload, share), (at_ms, owner, workload, share)) AS claim
    FROM attribution AS a
    WHERE process IN (SELECT process FROM usage_record
                      WHERE (hour, card) IN (SELECT hour, card FROM {quick:Identifier} WHERE complex) AND startsWith(owner, 'unknown:'))
      AND NOT arrayExists(r -> r.3 <= a.at_ms AND a.at_ms < r.4 AND a.received_at < r.5
                               AND ((r.1 = 'batch' AND r.2 = toString(a.batch)) OR (r.1 = 'node' AND r.2 = a.node)
                                    OR (r.1 = 'process' AND r.2 = toString(a.process))),
                          (SELECT groupArray((scope, subject, from_ms, to_ms, recorded_at)) FROM {retraction:Identifier}))
    GROUP BY process
),
owned AS (
    SELECT r.*,
           startsWith(r.raw_owner, 'unknown:') AND a.claim.1 != '' AS answered,
           if(answered, a.claim.1, r.raw_owner) AS owner,
           if(answered, a.claim.2, r.raw_workload) AS workload,
           if(answered, a.claim.3, r.raw_share) AS share
    FROM raw_row AS r LEFT JOIN answer AS a ON a.process = r.process
)
SELECT owned.*, n.name AS workload_name
FROM owned
LEFT JOIN (SELECT workload, any(name) AS name FROM workload
           WHERE workload IN (SELECT workload FROM usage_record WHERE (hour, card) IN (SELECT hour, card FROM {quick:Identifier} WHERE complex))
              OR workload IN (SELECT claim.2 FROM answer)
           GROUP BY workload) AS n
    ON n.workload = owned.workload
