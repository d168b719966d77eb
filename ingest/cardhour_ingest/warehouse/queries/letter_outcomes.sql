-- The latest attempt on each of some dead letters that ended since a time. One that was begun and not ended is no outcome yet.
SELECT letter, latest.1::String AS outcome, latest.5 AS offset_ms, latest.2::String AS reason, latest.3 AS path, latest.4 AS detail
FROM (SELECT letter, argMax((outcome, reason, path, detail, offset_ms), replayed_at) AS latest
      FROM letter_replay AS r
      WHERE r.outcome != 'begun' AND r.replayed_at >= fromUnixTimestamp64Milli({since:Int64}) AND letter IN {letters:Array(UInt64)}
      GROUP BY letter)
ORDER BY letter
