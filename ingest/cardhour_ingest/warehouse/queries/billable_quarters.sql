-- What there is to bill of some holders on some models, quarter by quarter: what a pool lease is measured against.
SELECT o_owner::String AS owner, cluster::String AS cluster, o_node::String AS node, card::String AS card, model::String AS model,
       hour * 4 + o_quarter AS segment, o_held AS held_us, o_billable AS billable_us
FROM (
    SELECT hour, card, cluster, model, o.1 AS o_quarter, o.2 AS o_node, o.3 AS o_owner, o.4 AS o_held, o.5 AS o_billable
    FROM card_hour FINAL
    ARRAY JOIN arrayZip(by_owner.quarter, by_owner.node, by_owner.owner, by_owner.held_us, by_owner.billable_us) AS o
    WHERE hour >= intDiv({from:UInt32}, 4) AND hour <= intDiv({to:UInt32} - 1, 4)
      AND model IN {models:Array(String)} AND hasAny(by_owner.owner, {owners:Array(String)})
)
WHERE hour * 4 + o_quarter >= {from:UInt32} AND hour * 4 + o_quarter < {to:UInt32} AND o_billable > 0
  AND o_owner IN {owners:Array(String)}
ORDER BY segment, card, node, owner
