-- The quarters of one card that one line of an invoice froze, over [from, to) in quarters from the epoch.
SELECT DISTINCT intDiv(start, 4) AS hour, start % 4 AS quarter, card::String AS card, node::String AS node, cluster::String AS cluster,
       model::String AS model, owner::String AS owner, us AS billable_us
FROM (SELECT hour * 4 + quarter + at - 1 AS start, card, node, cluster, model, owner, us
      FROM billed_quarter
      ARRAY JOIN billable_us AS us, arrayEnumerate(billable_us) AS at
      WHERE invoice = {invoice:String} AND line = {line:UInt32} AND card = {card:String})
WHERE us > 0 AND start >= {from:UInt32} AND start < {to:UInt32}
ORDER BY hour, quarter, node, owner
