-- Dead letters as they stand now, oldest first: the reason that a later attempt found, and whether one succeeded. An attempt
-- that was begun and never ended stored some of its rows, or none: what follows must take the same offset.
WITH attempt AS (
    SELECT letter, max(outcome = 'accepted') AS accepted,
           argMax((outcome, reason, path, detail, offset_ms), (replayed_at, outcome != 'begun')) AS latest
    FROM letter_replay GROUP BY letter
)
SELECT d.letter AS letter, toUnixTimestamp64Milli(d.received_at) AS received_at_ms,
       if(a.latest.1 = 'rejected', a.latest.2, d.reason) AS reason,
       if(a.latest.1 = 'rejected', a.latest.3, d.path) AS path,
       if(a.latest.1 = 'rejected', a.latest.4, d.detail) AS detail,
       d.source_id AS source_id, d.node AS node, d.position AS position, a.accepted = 1 AS replayed,
       a.latest.1 = 'begun' AS begun, a.latest.5 AS begun_offset_ms
FROM (SELECT letter, max(l.received_at) AS received_at, any(l.reason)::String AS reason, any(path) AS path, any(detail) AS detail,
             any(source_id) AS source_id, any(node) AS node, any(position) AS position
      FROM dead_letter AS l
      WHERE l.received_at >= fromUnixTimestamp64Milli({since:Int64}) AND (empty({letters:Array(UInt64)}) OR letter IN {letters:Array(UInt64)})
      GROUP BY letter) AS d
LEFT JOIN attempt AS a ON a.letter = d.letter
WHERE {reason:String} = '' OR reason = {reason:String}
ORDER BY received_at_ms, letter
LIMIT {limit:UInt32}
