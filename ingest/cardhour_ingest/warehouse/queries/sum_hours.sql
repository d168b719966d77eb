-- One row for each owner, cluster and model of a quarter hour. Rows of a repeat are the same rows: words say what they know of.
INSERT INTO usage_sum
SELECT e_owner, hour, e_quarter, cluster, model,
       arrayElement({words:Array(UInt32)}, indexOf({hours:Array(UInt32)}, hour)),
       sum(e_held), sum(e_billable), sum(e_active), sum(e_measured)
FROM card_hour FINAL
ARRAY JOIN by_owner.quarter AS e_quarter, by_owner.owner AS e_owner, by_owner.held_us AS e_held, by_owner.billable_us AS e_billable,
           by_owner.active_us AS e_active, by_owner.measured_us AS e_measured
WHERE hour IN {hours:Array(UInt32)}
GROUP BY hour, e_quarter, e_owner, cluster, model
