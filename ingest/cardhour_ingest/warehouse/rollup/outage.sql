-- Faulted time of each page's card or of the GPU it is cut from, clipped to quarters; ms from the quarter's start.
-- A fault that no healthy scan has ended counts for 24 hours; a retracted one does not count.
CREATE TABLE {outage:Identifier} ENGINE = Memory AS
WITH span AS (
    SELECT card, opened_at_ms AS from_ms,
           if(countIf(closed_at_ms > 0) = 0, opened_at_ms + 86400000,
              least(minIf(closed_at_ms, closed_at_ms > 0), opened_at_ms + 86400000)) AS to_ms
    FROM fault AS f
    WHERE NOT arrayExists(r -> r.3 <= f.opened_at_ms AND f.opened_at_ms < r.4 AND f.received_at < r.5
                               AND ((r.1 = 'batch' AND r.2 = toString(f.batch)) OR (r.1 = 'node' AND r.2 = f.node)
                                    OR (r.1 = 'card' AND r.2 = f.card)),
                          (SELECT groupArray((scope, subject, from_ms, to_ms, recorded_at)) FROM {retraction:Identifier}))
    GROUP BY card, opened_at_ms
),
hit AS (
    SELECT k.hour AS hour, k.card AS card, span.from_ms AS from_ms, span.to_ms AS to_ms
    FROM {page_key:Identifier} AS k ARRAY JOIN arrayDistinct([k.card, k.parent]) AS bearer
    INNER JOIN span ON span.card = bearer
    WHERE span.from_ms < (k.hour + 1) * 3600000 AND span.to_ms > k.hour * 3600000
)
SELECT hour, card, toUInt8(q) AS quarter,
       toUInt32(greatest(from_ms, q_from) - q_from) AS s,
       toUInt32(least(to_ms, q_from + 900000) - q_from) AS e
FROM (SELECT hour, card, from_ms, to_ms, q, toUInt64(hour) * 3600000 + q * 900000 AS q_from
      FROM hit ARRAY JOIN range(4) AS q)
WHERE from_ms < q_from + 900000 AND to_ms > q_from
