-- Billable usage of some holders by what ran, cut at the given quarters: the rows of ``billable`` divided by workload.
SELECT e.owner AS owner, e.cluster AS cluster, e.node AS node, e.card AS card, e.model AS model, e.segment AS segment,
       n.name AS workload, sum(e.us) AS billable_us, sum(e.active) AS active_us, sum(e.measured) AS measured_us
FROM (
    SELECT w.3::String AS owner, cluster::String AS cluster, w.2::String AS node, card::String AS card, model::String AS model,
           arrayLastOrNull(cut -> cut <= hour * 4 + w.1, {cuts:Array(UInt32)}) AS segment,
           w.4 AS workload, w.5 AS us, w.6 AS active, w.7 AS measured
    FROM card_hour FINAL
    ARRAY JOIN arrayZip(by_workload.quarter, by_workload.node, by_workload.owner, by_workload.workload, by_workload.billable_us,
                        by_workload.active_us, by_workload.measured_us) AS w
    WHERE hour >= intDiv({from:UInt32}, 4) AND hour <= intDiv({to:UInt32} - 1, 4)
      AND hour * 4 + w.1 >= {from:UInt32} AND hour * 4 + w.1 < {to:UInt32}
      AND hasAny(by_workload.owner, {owners:Array(String)}) AND has({owners:Array(String)}, w.3) AND w.5 > 0
) AS e
LEFT JOIN (SELECT workload, any(name) AS name FROM workload WHERE owner IN {owners:Array(String)} GROUP BY workload) AS n ON n.workload = e.workload
GROUP BY owner, cluster, node, card, model, segment, workload
ORDER BY owner, cluster, node, card, model, segment, workload
