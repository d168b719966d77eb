-- The quarters of one card that one line of an invoice froze, over [from, to) in quarters from the epoch.
SELECT DISTINCT hour, quarter, card::String AS card, node::String AS node, cluster::String AS cluster, model::String AS model,
       owner::String AS owner, billable_us
FROM billed_quarter
WHERE invoice = {invoice:String} AND line = {line:UInt32} AND card = {card:String}
  AND hour * 4 + quarter >= {from:UInt32} AND hour * 4 + quarter < {to:UInt32}
ORDER BY hour, quarter, node, owner
