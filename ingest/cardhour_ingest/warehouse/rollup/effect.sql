-- Where the billable time of a run's pages differs from the ledger's.
SELECT hour, owner, any(cluster) AS cluster, node, card, any(model) AS model,
       sumIf(us, side = 'before') AS before_us, sumIf(us, side = 'after') AS after_us
FROM (
    SELECT hour, card, cluster, model, o.2 AS node, o.3 AS owner, o.5 AS us, 'after' AS side FROM {page:Identifier} ARRAY JOIN owners AS o
    UNION ALL
    SELECT hour, card::String, cluster::String, model::String, o.1::String, o.2::String, o.3, 'before'
    FROM card_hour FINAL ARRAY JOIN arrayZip(by_owner.node, by_owner.owner, by_owner.billable_us) AS o
    WHERE (hour, card) IN (SELECT hour, card FROM {page:Identifier})
)
GROUP BY hour, owner, node, card
HAVING before_us != after_us
ORDER BY hour, card, owner, node
