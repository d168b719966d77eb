-- The quarters that invoices bill, as the ledger has them now, in one pass over its pages. {line:Identifier} says which holder,
-- card and segment is which line of which invoice. Freezing the same invoice again writes the same rows, which merge into one.
INSERT INTO billed_quarter (invoice, line, hour, quarter, card, node, cluster, model, owner, billable_us)
SELECT l.invoice, l.line, p.hour, p.quarter, p.card, p.node, p.cluster, p.model, p.owner, p.billable_us
FROM (
    SELECT hour, card::String AS card, cluster::String AS cluster, model::String AS model,
           o.1 AS quarter, o.2::String AS node, o.3::String AS owner, o.4 AS billable_us,
           assumeNotNull(arrayLastOrNull(cut -> cut <= hour * 4 + o.1, {cuts:Array(UInt32)})) AS segment
    FROM card_hour FINAL
    ARRAY JOIN arrayZip(by_owner.quarter, by_owner.node, by_owner.owner, by_owner.billable_us) AS o
    WHERE hour >= intDiv({from:UInt32}, 4) AND hour <= intDiv({to:UInt32} - 1, 4)
      AND hour * 4 + o.1 >= {from:UInt32} AND hour * 4 + o.1 < {to:UInt32} AND o.4 > 0
) AS p
INNER JOIN {line:Identifier} AS l
    ON l.owner = p.owner AND l.cluster = p.cluster AND l.node = p.node AND l.card = p.card AND l.model = p.model AND l.segment = p.segment
