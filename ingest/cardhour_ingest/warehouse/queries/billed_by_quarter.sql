-- What one invoice froze, quarter by quarter: one row for each line, holder, card and quarter from the epoch.
SELECT DISTINCT line, owner::String AS owner, cluster::String AS cluster, node::String AS node, card::String AS card, model::String AS model,
       hour * 4 + quarter AS segment, billable_us
FROM billed_quarter
WHERE invoice = {invoice:String}
ORDER BY line, owner, cluster, node, card, model, segment
