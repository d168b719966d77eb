-- What each owner and each workload has of a quarter: amounts from the sweep, integrals from the pieces, simple quarters as
-- they are. is_owner = 1 is the owner's entry, 0 one of its workloads. Owner and workload alike floor their own integrals, once
-- for each denominator, and then once to microseconds and MiB·ms.
CREATE TABLE {entry:Identifier} ENGINE = Memory AS
WITH integral AS (
    SELECT hour, card, quarter, node, owner, is_owner, workload, workload_name,
           intDiv(sum(active_raw), 1000) AS active_us, sum(measured) AS measured_us, intDiv(sum(memory_raw), 1048576) AS memory_mib_ms
    FROM (
        SELECT hour, card, quarter, node, owner, is_owner, workload, workload_name,
               intDiv(sum(active_num), active_den) AS active_raw, toUInt128(0) AS memory_raw, sumIf(toUInt64(e - s), has_active) * 1000 AS measured
        FROM (SELECT * EXCEPT (workload, workload_name), level.1 AS is_owner, level.2 AS workload, level.3 AS workload_name
              FROM {piece:Identifier} AS p ARRAY JOIN [(1, 0::UInt64, ''), (0, p.workload, p.workload_name)] AS level WHERE basis != 1)
        GROUP BY hour, card, quarter, node, owner, is_owner, workload, workload_name, active_den
        UNION ALL
        SELECT hour, card, quarter, node, owner, is_owner, workload, workload_name, toUInt128(0), intDiv(sum(memory_num), memory_den), 0::UInt64
        FROM (SELECT * EXCEPT (workload, workload_name), level.1 AS is_owner, level.2 AS workload, level.3 AS workload_name
              FROM {piece:Identifier} AS p ARRAY JOIN [(1, 0::UInt64, ''), (0, p.workload, p.workload_name)] AS level WHERE basis != 1)
        GROUP BY hour, card, quarter, node, owner, is_owner, workload, workload_name, memory_den
    )
    GROUP BY hour, card, quarter, node, owner, is_owner, workload, workload_name
)
SELECT hour, card, quarter, node, owner, is_owner, workload, workload_name,
       sum(held_us) AS held_us, sum(billable_us) AS billable_us, toUInt64(sum(active_us)) AS active_us,
       sum(measured_us) AS measured_us, toUInt64(sum(memory_mib_ms)) AS memory_mib_ms, sum(bridged_us) AS bridged_us
FROM (
    SELECT hour, card, quarter, node, owner, is_owner, workload, workload_name, held_us, billable_us,
           toUInt128(0) AS active_us, 0::UInt64 AS measured_us, toUInt128(0) AS memory_mib_ms, bridged_us FROM {amount:Identifier}
    UNION ALL
    SELECT hour, card, quarter, node, owner, is_owner, workload, workload_name, 0::UInt64, 0::UInt64, active_us, measured_us, memory_mib_ms, 0::UInt64 FROM integral
    UNION ALL
    SELECT hour, card, quarter, min_node, min_owner, toUInt8(level.1), level.2, '', held_ms * 1000, held_ms * 1000,
           toUInt128(intDiv(active_sum, 1000)), measured_ms * 1000, toUInt128(intDiv(memory_sum, 1048576)), bridged_ms * 1000
    FROM {quick:Identifier} ARRAY JOIN [(1, 0::UInt64), (0, min_workload)] AS level WHERE NOT complex AND held_ms > 0
)
GROUP BY hour, card, quarter, node, owner, is_owner, workload, workload_name
