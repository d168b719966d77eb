-- Those rows with the owner that a late answer gave to an unknown process. An answer that was itself retracted does not count.
CREATE TABLE {record:Identifier} ENGINE = Memory AS
WITH answer AS (
    SELECT process, argMax((owner::String, workload, share), (at_ms, owner, workload, share)) AS claim
    FROM attribution AS a
    WHERE process IN (SELECT process FROM {raw_row:Identifier} WHERE startsWith(raw_owner, 'unknown:'))
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
    FROM {raw_row:Identifier} AS r LEFT JOIN answer AS a ON a.process = r.process
)
SELECT owned.*, n.name AS workload_name
FROM owned
LEFT JOIN (SELECT workload, any(name) AS name FROM workload
           WHERE workload IN (SELECT raw_workload FROM {raw_row:Identifier})
              OR workload IN (SELECT claim.2 FROM answer)
           GROUP BY workload) AS n
    ON n.workload = owned.workload
