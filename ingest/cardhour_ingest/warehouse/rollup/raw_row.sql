-- The usage rows of complex quarters as they came, each with its batch, without repeats. The hash only picks: what has it and
-- is no complex quarter is dropped by the exact condition, which is dearer.
CREATE TABLE {raw_row:Identifier} ENGINE = Memory AS
SELECT DISTINCT hour, r.card::String AS card, toUInt8(intDiv(start_ms, 900000) % 4) AS quarter, process,
       toUInt32(start_ms % 900000) AS s, toUInt32(end_ms - (start_ms - start_ms % 900000)) AS e,
       node::String AS node, basis, owner::String AS raw_owner, workload AS raw_workload, share AS raw_share,
       bridged, active, memory, batch, received_at
FROM usage_record AS r
WHERE cityHash64(hour, r.card) IN (SELECT cityHash64(hour, card) FROM {quick:Identifier} WHERE complex)
  AND indexHint((hour, r.card) IN (SELECT hour, card FROM {quick:Identifier} WHERE complex)) AND end_ms > start_ms
  AND (hour, r.card::String, toUInt8(intDiv(start_ms, 900000) % 4)) IN (SELECT hour, card, quarter FROM {quick:Identifier} WHERE complex)
