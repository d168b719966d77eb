-- Where the billable time of a run's pages differs from the ledger's, by quarter: that is how time is priced. Sealed pages stay.
SELECT toUInt32(hour * 4 + at) AS quarter, owner, any(cluster) AS cluster, node, card, any(model) AS model,
       sumIf(us, side = 'before') AS before_us, sumIf(us, side = 'after') AS after_us
FROM (
    SELECT hour, o.1 AS at, card, cluster, model, o.2 AS node, o.3 AS owner, o.5 AS us, 'after' AS side
    FROM {page:Identifier} ARRAY JOIN owners AS o
    WHERE (hour, card) NOT IN (SELECT hour, card FROM {sealed:Identifier})
    UNION ALL
    SELECT hour, o.1, card::String, cluster::String, model::String, o.2::String, o.3::String, o.4, 'before'
    FROM card_hour FINAL ARRAY JOIN arrayZip(by_owner.quarter, by_owner.node, by_owner.owner, by_owner.billable_us) AS o
    WHERE (hour, card) IN (SELECT hour, card FROM {page:Identifier}) AND (hour, card) NOT IN (SELECT hour, card FROM {sealed:Identifier})
)
GROUP BY quarter, owner, node, card
HAVING before_us != after_us
ORDER BY quarter, card, owner, node
