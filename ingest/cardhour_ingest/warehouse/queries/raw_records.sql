-- What was reported of one card in one quarter hour, repeats counted as copies; of copies the batch is the first one's. holes: what
-- retractions took out of a row, in ms, as they may overlap.
SELECT process, node::String AS node, owner::String AS reported_owner, workload, share, basis, start_ms, end_ms, count() AS copies,
       toUnixTimestamp64Milli(min(received_at)) AS received_at_ms, argMin(batch, (received_at, batch)) AS first_batch,
       groupUniqArrayArray(arrayMap(h -> (greatest(toUInt64(h.3), start_ms), least(toUInt64(h.4), end_ms)), arrayFilter(
           h -> received_at < h.5 AND h.3 < end_ms AND h.4 > start_ms
                AND ((h.1 = 'batch' AND h.2 = toString(batch)) OR (h.1 = 'node' AND h.2 = node) OR (h.1 = 'card' AND h.2 = card)
                     OR (h.1 = 'process' AND h.2 = toString(process)) OR (h.1 = 'owner' AND h.2 = owner)),
           (SELECT groupArray((scope::String, subject, from_ms, to_ms, recorded_at)) FROM retraction)))) AS holes
FROM usage_record
WHERE hour = {hour:UInt32} AND card = {card:String} AND intDiv(start_ms, 900000) = {quarter:UInt32} AND end_ms > start_ms
GROUP BY process, node, reported_owner, workload, share, basis, start_ms, end_ms
