-- What was reported of one card in one quarter hour, repeats counted as copies. The owner is the one that a late answer gave,
-- where there is one. holes: what retractions took out of a row, in ms, as they may overlap.
WITH row AS (
    SELECT process, node::String AS node, owner::String AS reported_owner, workload, share, basis, start_ms, end_ms, count() AS copies,
           min(received_at) AS first_received_at, argMin(batch, (received_at, batch)) AS first_batch,
           groupUniqArrayArray(arrayMap(h -> (greatest(toUInt64(h.3), start_ms), least(toUInt64(h.4), end_ms)), arrayFilter(
               h -> received_at < h.5 AND h.3 < end_ms AND h.4 > start_ms
                    AND ((h.1 = 'batch' AND h.2 = toString(batch)) OR (h.1 = 'node' AND h.2 = node) OR (h.1 = 'card' AND h.2 = card)
                         OR (h.1 = 'process' AND h.2 = toString(process)) OR (h.1 = 'owner' AND h.2 = owner)),
               (SELECT groupArray((scope::String, subject, from_ms, to_ms, recorded_at)) FROM retraction)))) AS holes
    FROM usage_record
    WHERE hour = {hour:UInt32} AND card = {card:String} AND intDiv(start_ms, 900000) = {quarter:UInt32} AND end_ms > start_ms
    GROUP BY process, node, reported_owner, workload, share, basis, start_ms, end_ms
)
SELECT r.process AS process, r.node AS node, r.reported_owner AS reported_owner,
       if(startsWith(r.reported_owner, 'unknown:') AND a.claim.1 != '', a.claim.1, r.reported_owner) AS owner,
       if(startsWith(r.reported_owner, 'unknown:') AND a.claim.1 != '', a.claim.3, r.share) AS share,
       w.name AS workload, r.basis AS basis, r.start_ms AS start_ms, r.end_ms AS end_ms, r.copies AS copies, r.holes AS holes,
       toUnixTimestamp64Milli(r.first_received_at) AS received_at_ms, b.source_id AS source_id, b.position AS position
FROM row AS r
LEFT JOIN (SELECT process, argMax((owner::String, workload, share), (at_ms, owner, workload, share)) AS claim
           FROM attribution WHERE process IN (SELECT process FROM row) GROUP BY process) AS a ON a.process = r.process
LEFT JOIN (SELECT workload, any(name) AS name FROM workload WHERE workload IN (SELECT workload FROM row) GROUP BY workload) AS w
    ON w.workload = r.workload
LEFT JOIN (SELECT batch, any(source_id) AS source_id, any(position) AS position
           FROM ingest_batch WHERE batch IN (SELECT first_batch FROM row) GROUP BY batch) AS b ON b.batch = r.first_batch
ORDER BY start_ms, owner, process, end_ms
