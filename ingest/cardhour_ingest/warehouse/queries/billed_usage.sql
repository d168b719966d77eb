-- What one invoice froze on lines [{first}, {last}], cut at the given quarters: one row for each line, holder, card and segment.
SELECT line, owner::String AS owner, cluster::String AS cluster, node::String AS node, card::String AS card, model::String AS model,
       ifNull(arrayLastOrNull(cut -> cut <= of, {cuts:Array(UInt32)}), min(of)) AS segment, sum(us) AS billable_us
FROM (SELECT DISTINCT line, card, node, cluster, model, owner, hour * 4 + quarter + at - 1 AS of, us
      FROM billed_quarter
      ARRAY JOIN billable_us AS us, arrayEnumerate(billable_us) AS at
      WHERE invoice = {invoice:String} AND line >= {first:UInt32} AND line <= {last:UInt32} AND us > 0)
GROUP BY line, owner, cluster, node, card, model, arrayLastOrNull(cut -> cut <= of, {cuts:Array(UInt32)})
ORDER BY line, owner, cluster, node, card, model, segment
