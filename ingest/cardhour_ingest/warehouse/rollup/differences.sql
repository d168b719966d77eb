-- Pages that the run computes otherwise than they stand in the ledger, or that it has and the ledger lacks. Sealed pages
-- cannot be compared; hours that were marked meanwhile wait for a rollup, and are compared the next time.
WITH waiting AS (SELECT hour FROM dirty_hour WHERE hour IN (SELECT hour FROM {work:Identifier}) GROUP BY hour, node, mark HAVING max(done) = 0),
     computed AS (
         SELECT hour, card,
                toJSONString((cluster, model, basis, owners, workloads, idle_us, faulted_us, rounding_us, unseen, raw_rows)) AS text
         FROM {page:Identifier}
         WHERE (hour, card) NOT IN (SELECT hour, card FROM {sealed:Identifier}) AND hour NOT IN (SELECT hour FROM waiting)
     ),
     kept AS (
         SELECT hour, card::String AS card,
                toJSONString((cluster, model, basis,
                              arrayZip(by_owner.quarter, by_owner.node, by_owner.owner, by_owner.held_us, by_owner.billable_us, by_owner.active_us,
                                       by_owner.measured_us, by_owner.memory_mib_ms, by_owner.bridged_us),
                              arrayZip(by_workload.quarter, by_workload.node, by_workload.owner, by_workload.workload, by_workload.held_us,
                                       by_workload.billable_us, by_workload.active_us, by_workload.measured_us, by_workload.memory_mib_ms,
                                       by_workload.bridged_us),
                              idle_us, faulted_us, rounding_us,
                              arrayZip(unobserved.quarter, unobserved.reason, unobserved.unobserved_us), raw_rows)) AS text
         FROM card_hour FINAL WHERE (hour, card) IN (SELECT hour, card FROM {page:Identifier})
     )
SELECT computed.hour AS hour, computed.card AS card, kept.text AS ledger, computed.text AS raw
FROM computed LEFT JOIN kept ON kept.hour = computed.hour AND kept.card = computed.card
WHERE computed.text != kept.text
ORDER BY hour, card
