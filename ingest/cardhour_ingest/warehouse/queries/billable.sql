-- What there is to bill, cut at the given quarters: one row for each holder, card and segment. Quarters count from the epoch.
-- {segments:Array(UInt32)} has the segment of each quarter of the span: looking it up costs a tenth of a search among the cuts. Of a
-- span of years it is empty, and {cuts:Array(UInt32)} are searched.
SELECT owner, cluster, node, card, model, segment, sum(held) AS held_us, sum(billable) AS billable_us
FROM (
    SELECT o_owner::String AS owner, cluster::String AS cluster, o_node::String AS node, card::String AS card,
           model::String AS model, if(empty({segments:Array(UInt32)}),
              assumeNotNull(arrayLastOrNull(cut -> cut <= hour * 4 + o_quarter, {cuts:Array(UInt32)})),
              {segments:Array(UInt32)}[hour * 4 + o_quarter - {from:UInt32} + 1]) AS segment, held, billable
    FROM card_hour FINAL
    ARRAY JOIN by_owner.quarter AS o_quarter, by_owner.node AS o_node, by_owner.owner AS o_owner, by_owner.held_us AS held,
               by_owner.billable_us AS billable
    WHERE hour >= intDiv({from:UInt32}, 4) AND hour <= intDiv({to:UInt32} - 1, 4)
      AND hour * 4 + o_quarter >= {from:UInt32} AND hour * 4 + o_quarter < {to:UInt32} AND billable > 0
)
GROUP BY owner, cluster, node, card, model, segment
ORDER BY owner, cluster, node, card, model, segment
