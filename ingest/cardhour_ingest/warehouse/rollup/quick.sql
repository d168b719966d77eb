-- One pass over raw. A quarter is simple, and finished here, when at most one tenant workload with share 1000 holds it, on
-- one node and the card's basis, no two of its rows overlap (which also proves that there are no repeats), the card was plainly
-- observed, no fault touches it, and nothing corrects any of its rows. The rest is `complex`.
-- kind: 0 usage, 1 card, 2 the quarter itself, so that a quarter without rows is measured too. Times: ms from its start.
-- Nearly all rows begin and end on whole minutes. A quarter has 15, so such rows are summed up in a number with a bit for each:
-- none overlap where the bits are as many as the rows' minutes. Rows that do not (`odd`) are compared by the union of their
-- intervals, and with the others by the minutes that they touch: a touched minute that an even row fills is an overlap.
-- What usage and card rows say together is known where both are even, or one lies within the other or is missing.
-- Which rows belong to a page is told by a hash of its key, at a third of the cost; the join at the end drops what else has
-- that hash. The hint lets the engine skip what lies between.
CREATE TABLE {quick:Identifier} ENGINE = Memory AS
SELECT hour, card, quarter, min_node, min_owner, min_workload, active_sum, memory_sum, measured_ms, bridged_ms, raw_rows, held_ms,
       multiIf(card_ms = 0, held_ms, bitAnd(bitOr(usage_even, usage_odd), bitNot(card_even)) = 0, card_ms,
               toUInt64(bitCount(bitOr(usage_even, card_even)) * 60000)) AS known_ms,
       k.unseen_reason AS unseen_reason,
       min_owner != max_owner OR min_workload != max_workload OR min_node != max_node OR min_share < 1000
       OR startsWith(min_owner, 'system:') OR startsWith(min_owner, 'unknown:')
       OR states != 0 OR end_ms > 900000
       OR held_ms - usage_odd_ms != bitCount(usage_even) * 60000 OR usage_odd_ms != usage_odd_union_ms OR bitAnd(usage_even, usage_odd) != 0
       OR card_ms - card_odd_ms != bitCount(card_even) * 60000 OR card_odd_ms != card_odd_union_ms OR bitAnd(card_even, card_odd) != 0
       OR (usage_odd_ms + card_odd_ms > 0 AND card_ms > 0 AND bitAnd(bitOr(usage_even, usage_odd), bitNot(card_even)) != 0)
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
           max(e) AS end_ms,
           sumIf(length, kind = 0) AS held_ms, sumIf(length, kind = 1) AS card_ms,
           sumIf(length, kind = 0 AND odd) AS usage_odd_ms, sumIf(length, kind = 1 AND odd) AS card_odd_ms,
           intervalLengthSumIf(s, e, kind = 0 AND odd) AS usage_odd_union_ms, intervalLengthSumIf(s, e, kind = 1 AND odd) AS card_odd_union_ms,
           groupBitOrIf(minutes, kind = 0 AND NOT odd) AS usage_even, groupBitOrIf(minutes, kind = 1 AND NOT odd) AS card_even,
           groupBitOrIf(minutes, kind = 0 AND odd) AS usage_odd, groupBitOrIf(minutes, kind = 1 AND odd) AS card_odd,
           sum(active_read) AS active_sum,
           sum(memory_read) AS memory_sum,
           sumIf(length, has_active) AS measured_ms,
           sumIf(length, bridged) AS bridged_ms,
           countIf(kind < 2) AS raw_rows,
           max(corrected) AS touched
    FROM (
        SELECT *, toUInt64(e - s) AS length, s % 60000 != 0 OR e % 60000 != 0 AS odd,
               toUInt16(bitShiftLeft(1::UInt32, toUInt8(intDiv(least(e, 900000) + 59999, 60000))) - bitShiftLeft(1::UInt32, toUInt8(intDiv(s, 60000)))) AS minutes
        FROM (
            SELECT hour, r.card::String AS card, toUInt8(intDiv(start_ms, 900000) % 4) AS quarter, 0 AS kind,
                   toUInt32(start_ms % 900000) AS s, toUInt32(end_ms - (start_ms - start_ms % 900000)) AS e,
                   node, owner, workload, share, bitShiftLeft(1::UInt8, basis) AS basis_bit,
                   0::UInt8 AS state, bridged = 1 AS bridged, active IS NOT NULL AS has_active,
                   ifNull(active, 0) AS active_read, ifNull(memory, 0) AS memory_read,
                   r.card IN (SELECT subject FROM {retraction:Identifier} WHERE scope = 'card')
                   OR node IN (SELECT subject FROM {retraction:Identifier} WHERE scope = 'node')
                   OR owner IN (SELECT subject FROM {retraction:Identifier} WHERE scope = 'owner')
                   OR batch IN (SELECT toUInt64(subject) FROM {retraction:Identifier} WHERE scope = 'batch')
                   OR process IN (SELECT toUInt64(subject) FROM {retraction:Identifier} WHERE scope = 'process') AS corrected
            FROM usage_record AS r
            WHERE indexHint((hour, r.card) IN (SELECT hour, card FROM {page_key:Identifier}))
              AND cityHash64(hour, r.card) IN (SELECT cityHash64(hour, card) FROM {page_key:Identifier}) AND end_ms > start_ms
            UNION ALL
            SELECT hour, r.card::String, toUInt8(intDiv(start_ms, 900000) % 4), 1,
                   toUInt32(start_ms % 900000), toUInt32(end_ms - (start_ms - start_ms % 900000)),
                   '', '', 0, 1000, 0, state, 0, 0, 0, 0,
                   r.card IN (SELECT subject FROM {retraction:Identifier} WHERE scope = 'card')
                   OR node IN (SELECT subject FROM {retraction:Identifier} WHERE scope = 'node')
                   OR batch IN (SELECT toUInt64(subject) FROM {retraction:Identifier} WHERE scope = 'batch')
            FROM card_record AS r
            WHERE indexHint((hour, r.card) IN (SELECT hour, card FROM {page_key:Identifier}))
              AND cityHash64(hour, r.card) IN (SELECT cityHash64(hour, card) FROM {page_key:Identifier}) AND end_ms > start_ms
            UNION ALL
            SELECT hour, card, toUInt8(arrayJoin(range(4))), 2, 0, 900000, '', '', 0, 1000, 0, 0, 0, 0, 0, 0, 0
            FROM {page_key:Identifier}
        )
    )
    GROUP BY hour, card, quarter
) AS measured
INNER JOIN {page_key:Identifier} AS k ON k.hour = measured.hour AND k.card = measured.card
