-- One pass over raw. A quarter is simple, and finished here, when at most one tenant workload with share 1000 holds it, on
-- one node and the card's basis, no two of its rows overlap (the sum of their lengths is the length of their union, which
-- also proves that there are no repeats), the card was plainly observed, no fault touches it,
-- and nothing corrects any of its rows. The rest is `complex`.
-- kind: 0 usage, 1 card, 2 the quarter itself, so that a quarter without rows is measured too. Times: ms from its start.
CREATE TABLE {quick:Identifier} ENGINE = Memory AS
SELECT measured.*, k.unseen_reason AS unseen_reason,
       min_owner != max_owner OR min_workload != max_workload OR min_node != max_node OR min_share < 1000
       OR startsWith(min_owner, 'system:') OR startsWith(min_owner, 'unknown:')
       OR usage_sum_ms != held_ms OR card_sum_ms != card_ms OR states != 0 OR whole_ms != 900000
       OR bitAnd(bases, bitNot(bitOr(bitShiftLeft(1::UInt8, k.basis), 4::UInt8))) != 0
       OR touched OR card IN (SELECT card FROM {home:Identifier})
       OR (hour, card, quarter) IN (SELECT hour, card, quarter FROM {outage:Identifier}) AS complex
FROM (
    SELECT hour, card, quarter,
           minIf(node, kind = 0) AS min_node, maxIf(node, kind = 0) AS max_node,
           minIf(owner, kind = 0) AS min_owner, maxIf(owner, kind = 0) AS max_owner,
           minIf(workload, kind = 0) AS min_workload, maxIf(workload, kind = 0) AS max_workload,
           min(share) AS min_share,
           groupBitOr(basis_bit) AS bases,
           max(state) AS states,
           sumIf(toUInt64(e - s), kind = 0) AS usage_sum_ms,
           sumIf(toUInt64(e - s), kind = 1) AS card_sum_ms,
           intervalLengthSumIf(s, e, kind = 0) AS held_ms,
           intervalLengthSumIf(s, e, kind = 1) AS card_ms,
           intervalLengthSumIf(s, e, kind < 2) AS known_ms,
           intervalLengthSum(s, e) AS whole_ms,
           sum(active_read) AS active_sum,
           sum(memory_read) AS memory_sum,
           sumIf(toUInt64(e - s), has_active) AS measured_ms,
           sumIf(toUInt64(e - s), bridged) AS bridged_ms,
           countIf(kind < 2) AS raw_rows,
           max(corrected) AS touched
    FROM (
        SELECT hour, card::String AS card, toUInt8(intDiv(start_ms, 900000) % 4) AS quarter, 0 AS kind,
               toUInt32(start_ms % 900000) AS s, toUInt32(end_ms - (start_ms - start_ms % 900000)) AS e,
               node::String AS node, owner::String AS owner, workload, share, bitShiftLeft(1::UInt8, basis) AS basis_bit,
               0::UInt8 AS state, bridged = 1 AS bridged, active IS NOT NULL AS has_active,
               ifNull(active, 0) AS active_read, ifNull(memory, 0) AS memory_read,
               card IN (SELECT subject FROM {retraction:Identifier} WHERE scope = 'card')
               OR node IN (SELECT subject FROM {retraction:Identifier} WHERE scope = 'node')
               OR owner IN (SELECT subject FROM {retraction:Identifier} WHERE scope = 'owner')
               OR batch IN (SELECT toUInt64(subject) FROM {retraction:Identifier} WHERE scope = 'batch')
               OR process IN (SELECT toUInt64(subject) FROM {retraction:Identifier} WHERE scope = 'process') AS corrected
        FROM usage_record WHERE (hour, card) IN (SELECT hour, card FROM {page_key:Identifier}) AND end_ms > start_ms
        UNION ALL
        SELECT hour, card::String, toUInt8(intDiv(start_ms, 900000) % 4), 1,
               toUInt32(start_ms % 900000), toUInt32(end_ms - (start_ms - start_ms % 900000)),
               '', '', 0, 1000, 0, state, 0, 0, 0, 0,
               card IN (SELECT subject FROM {retraction:Identifier} WHERE scope = 'card')
               OR node IN (SELECT subject FROM {retraction:Identifier} WHERE scope = 'node')
               OR batch IN (SELECT toUInt64(subject) FROM {retraction:Identifier} WHERE scope = 'batch')
        FROM card_record WHERE (hour, card) IN (SELECT hour, card FROM {page_key:Identifier}) AND end_ms > start_ms
        UNION ALL
        SELECT hour, card, toUInt8(arrayJoin(range(4))), 2, 0, 900000, '', '', 0, 1000, 0, 0, 0, 0, 0, 0, 0
        FROM {page_key:Identifier}
    )
    GROUP BY hour, card, quarter
) AS measured
INNER JOIN {page_key:Identifier} AS k ON k.hour = measured.hour AND k.card = measured.card
