-- The pages, whole: simple quarters from the one pass, complex ones from the sweep. Every term is measured on its own; the
-- table's constraint, not this statement, says that they add up. Arrays are sorted, so that a rebuild gives equal pages.
CREATE TABLE {page:Identifier} ENGINE = Memory AS
WITH
-- what flooring took from an owner's workloads goes to the first by name of those that held the card
remainder AS (
    SELECT hour, card, quarter, node, owner, sumIf(billable_us, is_owner = 1) - sumIf(billable_us, is_owner = 0) AS left_us,
           minIf((workload_name, workload), is_owner = 0 AND held_us > 0) AS first
    FROM {entry:Identifier} GROUP BY hour, card, quarter, node, owner
),
tables AS (
    SELECT e.hour AS hour, e.card AS card,
           arraySort(groupArrayIf((quarter, node, owner, held_us, billable_us, active_us, measured_us, memory_mib_ms, bridged_us), is_owner = 1)) AS owners,
           arraySort(groupArrayIf((quarter, node, owner, workload, held_us,
                                   toUInt64(billable_us + if((workload_name, workload) = first, left_us, 0)),
                                   active_us, measured_us, memory_mib_ms, bridged_us), is_owner = 0)) AS workloads
    FROM {entry:Identifier} AS e INNER JOIN remainder AS r USING (hour, card, quarter, node, owner)
    GROUP BY hour, card
),
dropped AS (
    SELECT hour, card, quarter, sum(intDiv(lost, den)) AS rounding_us
    FROM (SELECT hour, card, quarter, d.1 AS den, sum(d.2) AS lost FROM {amount:Identifier} ARRAY JOIN dropped AS d GROUP BY hour, card, quarter, den)
    GROUP BY hour, card, quarter
),
swept AS (
    SELECT hour, card, quarter,
           sum(length_ms * multiIf(faulted, 0::UInt64, held, toUInt64(if(unknowns <= spare, spare - unknowns, 0)), observed, 1000::UInt64, 0::UInt64)) AS idle_us,
           sumIf(length_ms, faulted) * 1000 AS faulted_us,
           sumMapIf([reason], [toUInt64(length_ms) * 1000], NOT faulted AND NOT held AND NOT observed) AS unseen
    FROM {instant:Identifier} GROUP BY hour, card, quarter
),
quarters AS (
    SELECT hour, card, quarter, toUInt64(known_ms - held_ms) * 1000 AS idle_us, 0::UInt64 AS faulted_us, 0::UInt64 AS rounding_us,
           if(known_ms < 900000, [(unseen_reason, toUInt64(900000 - known_ms) * 1000)], []) AS unseen, raw_rows
    FROM {quick:Identifier} WHERE NOT complex
    UNION ALL
    SELECT s.hour, s.card, s.quarter, s.idle_us, s.faulted_us, d.rounding_us, arrayZip(s.unseen.1, s.unseen.2), n.raw_rows
    FROM swept AS s
    LEFT JOIN dropped AS d ON d.hour = s.hour AND d.card = s.card AND d.quarter = s.quarter
    LEFT JOIN (
        SELECT hour, card, quarter, count() AS raw_rows
        FROM (
            SELECT hour, card, quarter
            FROM (SELECT DISTINCT * EXCEPT (batch, received_at, answered, owner, workload, share, workload_name) FROM {record:Identifier})
            UNION ALL
            SELECT hour, card, quarter
            FROM (SELECT DISTINCT hour, r.card::String AS card, toUInt8(intDiv(start_ms, 900000) % 4) AS quarter, start_ms, end_ms, state, energy_mj
                  FROM card_record AS r
                  WHERE cityHash64(hour, r.card) IN (SELECT cityHash64(hour, card) FROM {quick:Identifier} WHERE complex)
                    AND indexHint((hour, r.card) IN (SELECT hour, card FROM {quick:Identifier} WHERE complex)) AND end_ms > start_ms)
        )
        GROUP BY hour, card, quarter
    ) AS n ON n.hour = s.hour AND n.card = s.card AND n.quarter = s.quarter
),
sides AS (
    SELECT hour, card,
           arrayMap(x -> x.2, arraySort(groupArray((quarter, toUInt64(idle_us))))) AS idle_us,
           arrayMap(x -> x.2, arraySort(groupArray((quarter, toUInt64(faulted_us))))) AS faulted_us,
           arrayMap(x -> x.2, arraySort(groupArray((quarter, toUInt64(rounding_us))))) AS rounding_us,
           arraySort(groupArrayArray(arrayMap(u -> (quarter, u.1, toUInt64(u.2)), unseen))) AS unseen,
           sum(raw_rows) AS raw_rows
    FROM quarters GROUP BY hour, card
)
SELECT k.hour AS hour, k.card AS card, k.cluster AS cluster, k.model AS model, k.basis AS basis,
       t.owners AS owners, t.workloads AS workloads, s.idle_us AS idle_us, s.faulted_us AS faulted_us, s.rounding_us AS rounding_us,
       s.unseen AS unseen, s.raw_rows AS raw_rows,
       arrayMap(q -> toInt64(arraySum(arrayMap(o -> if(o.1 = q, o.5, 0), t.owners)) + arraySum(arrayMap(u -> if(u.1 = q, u.3, 0), s.unseen))
                             + s.idle_us[q + 1] + s.faulted_us[q + 1] + s.rounding_us[q + 1]), range(4)) AS sums_us,
       arraySum(arrayMap(o -> o.5, t.owners)) = arraySum(arrayMap(w -> w.6, t.workloads)) AS workloads_agree
FROM {page_key:Identifier} AS k
LEFT JOIN sides AS s ON s.hour = k.hour AND s.card = k.card
LEFT JOIN tables AS t ON t.hour = k.hour AND t.card = k.card
