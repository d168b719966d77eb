-- What one invoice froze, cut at the given quarters: one row for each line, holder, card and segment.
SELECT line, owner::String AS owner, cluster::String AS cluster, node::String AS node, card::String AS card, model::String AS model,
       ifNull(arrayLastOrNull(cut -> cut <= hour * 4 + quarter, {cuts:Array(UInt32)}), min(hour * 4 + quarter)) AS segment,
       sum(billable_us) AS billable_us
FROM (SELECT DISTINCT line, hour, quarter, card, node, cluster, model, owner, billable_us
      FROM billed_quarter WHERE invoice = {invoice:String})
GROUP BY line, owner, cluster, node, card, model, arrayLastOrNull(cut -> cut <= hour * 4 + quarter, {cuts:Array(UInt32)})
ORDER BY line, owner, cluster, node, card, model, segment
