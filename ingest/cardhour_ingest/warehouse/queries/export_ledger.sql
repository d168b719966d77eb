-- What the ledger says of some owners in hours [{from}, {to}), one row for each quarter hour, card and workload.
SELECT (e.hour::UInt64 * 4 + e.q) * 900000 AS start_ms, start_ms + 900000 AS end_ms, e.cluster AS cluster, e.node AS node, e.card AS card, e.model AS model, e.owner AS owner,
       n.name AS workload, e.held_us AS held_us, e.billable_us AS billable_us, if(e.measured_us = 0, NULL, e.active_us) AS active_us
FROM (
    SELECT hour, card::String AS card, cluster::String AS cluster, model::String AS model, w.1 AS q, w.2::String AS node, w.3::String AS owner,
           w.4 AS workload, w.5 AS held_us, w.6 AS billable_us, w.7 AS active_us, w.8 AS measured_us
    FROM card_hour FINAL
    ARRAY JOIN arrayZip(by_workload.quarter, by_workload.node, by_workload.owner, by_workload.workload, by_workload.held_us,
                        by_workload.billable_us, by_workload.active_us, by_workload.measured_us) AS w
    WHERE hour >= {from:UInt32} AND hour < {to:UInt32} AND hasAny(by_workload.owner, {owners:Array(String)}) AND has({owners:Array(String)}, w.3)
) AS e
LEFT JOIN (SELECT workload, any(name) AS name FROM workload WHERE owner IN {owners:Array(String)} GROUP BY workload) AS n ON n.workload = e.workload
ORDER BY start_ms, card, owner, workload
