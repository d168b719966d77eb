-- The quarters that invoices bill, as the ledger has them now, in one pass over its pages. {line:Identifier} says which holder,
-- card and segment is which line of which invoice; {segments:Array(UInt32)} has the segment of each quarter of the span.
-- Freezing the same invoice again writes the same rows, which merge into one.
-- A page that one holder has whole, as nearly all have, is one row; of another, each quarter of each holder is a row.
INSERT INTO billed_quarter (invoice, line, hour, quarter, card, node, cluster, model, owner, billable_us)
SELECT l.invoice, l.line, p.hour, p.quarter, p.card, p.node, p.cluster, p.model, p.owner, p.billable_us
FROM (
    SELECT hour, card::String AS card, cluster::String AS cluster, model::String AS model, quarter, o_node::String AS node,
           o_owner::String AS owner, billable_us, {segments:Array(UInt32)}[hour * 4 + quarter - {from:UInt32} + 1] AS segment
    FROM (
        SELECT hour, card, cluster, model, by_owner.quarter AS q, by_owner.node AS n, by_owner.owner AS o, by_owner.billable_us AS us,
               hour * 4 >= {from:UInt32} AND hour * 4 + 4 <= {to:UInt32}
               AND arrayUniq(o) = 1 AND arrayUniq(n) = 1 AND q[-1] - q[1] + 1 = length(q)
               AND {segments:Array(UInt32)}[hour * 4 + q[1] - {from:UInt32} + 1]
                   = {segments:Array(UInt32)}[hour * 4 + q[-1] - {from:UInt32} + 1] AS whole
        FROM card_hour FINAL
        WHERE hour >= intDiv({from:UInt32}, 4) AND hour <= intDiv({to:UInt32} - 1, 4)
    )
    ARRAY JOIN if(whole, [q[1]], q) AS quarter, if(whole, [n[1]], n) AS o_node, if(whole, [o[1]], o) AS o_owner,
               if(whole, [us], arrayMap(each -> [each], us)) AS billable_us
    WHERE hour * 4 + quarter >= {from:UInt32} AND hour * 4 + quarter < {to:UInt32} AND arraySum(billable_us) > 0
) AS p
INNER JOIN {line:Identifier} AS l
    ON l.owner = p.owner AND l.cluster = p.cluster AND l.node = p.node AND l.card = p.card AND l.model = p.model AND l.segment = p.segment
