-- What one invoice froze, quarter by quarter: one row for each line, holder, card and quarter from the epoch.
SELECT DISTINCT line, owner::String AS owner, cluster::String AS cluster, node::String AS node, card::String AS card, model::String AS model,
       hour * 4 + quarter + at - 1 AS segment, us AS billable_us
FROM billed_quarter
ARRAY JOIN billable_us AS us, arrayEnumerate(billable_us) AS at
WHERE invoice = {invoice:String} AND us > 0
ORDER BY line, owner, cluster, node, card, model, segment
