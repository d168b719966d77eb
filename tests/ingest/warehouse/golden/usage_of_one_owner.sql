-- Usage in quarters [from, to) since the epoch; usage.DIMENSIONS and usage.usage_statement fill the gaps.
SELECT owner::String AS `owner`,
       sum(held_us) AS held_us, sum(billable_us) AS billable_us,
       if(sum(measured_us) = 0, NULL, sum(active_us)) AS active_us
FROM (
    SELECT hour, card, cluster, model, e_quarter AS quarter, e_owner AS owner, e_held_us AS held_us, e_billable_us AS billable_us, e_active_us AS active_us, e_measured_us AS measured_us, e_node AS node
    FROM card_hour FINAL
    ARRAY JOIN by_owner.quarter AS e_quarter, by_owner.owner AS e_owner, by_owner.held_us AS e_held_us, by_owner.billable_us AS e_billable_us, by_owner.active_us AS e_active_us, by_owner.measured_us AS e_measured_us, by_owner.node AS e_node
    WHERE hour >= intDiv({from:UInt32}, 4) AND hour <= intDiv({to:UInt32} - 1, 4)
      AND hour * 4 + e_quarter >= {from:UInt32} AND hour * 4 + e_quarter < {to:UInt32} AND (has(by_owner.owner, {owners:Array(String)}[1])) AND has({owners:Array(String)}, e_owner)
) AS entry
GROUP BY `owner`
ORDER BY `owner`
