-- Usage that came for a sealed page, each owner's part of a batch as one dead letter, with what it is worth. Its key is made
-- of what it says, so that finding it again adds nothing.
INSERT INTO dead_letter (letter, received_at, reason, path, detail, source_id, node, position, headers, body)
WITH late AS (
    SELECT r.hour AS hour, r.card::String AS card, r.batch AS batch, r.owner::String AS owner, any(r.node)::String AS node, max(r.received_at) AS received_at,
           intervalLengthSum(r.start_ms, r.end_ms) * 1000 AS held_us,
           toJSONString(arraySort(groupUniqArray((r.process, r.start_ms, r.end_ms, r.workload, r.share)))) AS rows
    FROM usage_record AS r INNER JOIN {sealed:Identifier} AS s ON s.hour = r.hour AND s.card = r.card
    WHERE (r.hour, r.card) IN (SELECT hour, card FROM {sealed:Identifier}) AND r.received_at > s.version AND r.end_ms > r.start_ms
    GROUP BY hour, card, batch, owner
)
SELECT cityHash64('too_late', late.hour, late.card, late.batch, late.owner) AS letter, late.received_at, 'too_late', '$',
       concat('owner=', late.owner, ' model=', k.model, ' card=', late.card,
              ' hour=', formatDateTime(toDateTime(late.hour * 3600, 'UTC'), '%Y-%m-%dT%H:00:00Z'), ' held_us=', toString(late.held_us)),
       b.source_id, late.node, b.position, [], late.rows
FROM late
LEFT JOIN (SELECT DISTINCT hour, card, model FROM {page_key:Identifier}) AS k ON k.hour = late.hour AND k.card = late.card
LEFT JOIN (SELECT batch, any(source_id) AS source_id, any(position) AS position FROM ingest_batch
           WHERE batch IN (SELECT batch FROM late) GROUP BY batch) AS b ON b.batch = late.batch
WHERE letter NOT IN (SELECT letter FROM dead_letter WHERE reason = 'too_late')
