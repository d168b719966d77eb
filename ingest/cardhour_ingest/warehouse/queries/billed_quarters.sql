-- The quarters of one card that one line of an invoice froze, over [from, to) in quarters from the epoch.
SELECT DISTINCT hour, quarter + at - 1 AS quarter, card::String AS card, node::String AS node, cluster::String AS cluster,
       model::String AS model, owner::String AS owner, us AS billable_us
FROM (SELECT hour, billed_quarter.quarter AS quarter, card, node, cluster, model, owner, us, at
      FROM billed_quarter
      ARRAY JOIN billed_quarter.billable_us AS us, arrayEnumerate(billed_quarter.billable_us) AS at
      WHERE invoice = {invoice:String} AND line = {line:UInt32} AND card = {card:String})
WHERE us > 0 AND hour * 4 + quarter >= {from:UInt32} AND hour * 4 + quarter < {to:UInt32}
ORDER BY hour, quarter, node, owner
