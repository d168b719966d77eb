-- What there is to bill, cut at the given quarters: one row for each holder, card and segment. Quarters count from the epoch.
SELECT o_owner AS owner, cluster::String AS cluster, o_node AS node, card::String AS card, model::String AS model,
       arrayLastOrNull(cut -> cut <= hour * 4 + o_quarter, {cuts:Array(UInt32)}) AS segment,
       sum(o_held) AS held_us, sum(o_billable) AS billable_us
FROM (
    SELECT hour, card, cluster, model, o.1 AS o_quarter, o.2 AS o_node, o.3 AS o_owner, o.4 AS o_held, o.5 AS o_billable
    FROM card_hour FINAL
    ARRAY JOIN arrayZip(by_owner.quarter, by_owner.node, by_owner.owner, by_owner.held_us, by_owner.billable_us) AS o
    WHERE hour >= intDiv({from:UInt32}, 4) AND hour <= intDiv({to:UInt32} - 1, 4)
)
WHERE hour * 4 + o_quarter >= {from:UInt32} AND hour * 4 + o_quarter < {to:UInt32} AND o_billable > 0
GROUP BY owner, cluster, node, card, model, segment
ORDER BY owner, cluster, node, card, model, segment
