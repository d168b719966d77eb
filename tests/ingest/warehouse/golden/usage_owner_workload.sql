-- Usage in quarters [from, to) since the epoch; usage.DIMENSIONS and usage.usage_statement fill the gaps.
SELECT owner::String AS `owner`, name AS `workload`,
       sum(held_us) AS held_us, sum(billable_us) AS billable_us,
       if(sum(measured_us) = 0, NULL, sum(active_us)) AS active_us
FROM (
    SELECT hour, card, cluster, model, e_quarter AS quarter, e_owner AS owner, e_held_us AS held_us, e_billable_us AS billable_us, e_active_us AS active_us, e_measured_us AS measured_us, e_node AS node, e_workload AS workload
    FROM card_hour FINAL
    ARRAY JOIN by_workload.quarter AS e_quarter, by_workload.owner AS e_owner, by_workload.held_us AS e_held_us, by_workload.billable_us AS e_billable_us, by_workload.active_us AS e_active_us, by_workload.measured_us AS e_measured_us, by_workload.node AS e_node, by_workload.workload AS e_workload
    WHERE hour >= intDiv({from:UInt32}, 4) AND hour <= intDiv({to:UInt32} - 1, 4)
      AND hour * 4 + e_quarter >= {from:UInt32} AND hour * 4 + e_quarter < {to:UInt32}
) AS entry
LEFT JOIN (SELECT workload, any(name) AS name FROM workload GROUP BY workload) AS named ON named.workload = entry.workload
GROUP BY `owner`, `workload`
ORDER BY `owner`, `workload`
