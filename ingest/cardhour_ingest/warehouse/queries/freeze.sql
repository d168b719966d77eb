-- The quarters that invoices bill, as the ledger has them now, in one pass over the pages of a part of a span. {line:Identifier} says
-- which holder and card, from which segment through which, is which line of which invoice; {segments:Array(UInt32)} has the segment of
-- each quarter from {from:UInt32} on. Freezing the same invoice again writes the same rows, which merge into one.
-- A holder's day on a card is one row, of the quarters from its first to its last: a row of its own for each hour took four times as
-- long to sort and to write. Places are found by a hash, and then compared.
INSERT INTO billed_quarter (invoice, line, hour, quarter, card, node, cluster, model, owner, billable_us)
SELECT l.invoice, l.line, intDiv(d.start, 4), d.start % 4, l.card, l.node, l.cluster, l.model, l.owner, d.billable_us
FROM (
    SELECT run, arraySort(piece -> piece.1, groupArray((at, us))) AS pieces, pieces[1].1 AS start,
           arrayMap(piece -> toUInt32(piece.1 + length(piece.2)), pieces) AS ends,
           arrayFlatten(arrayMap((piece, before) -> arrayConcat(arrayResize(emptyArrayUInt64(), piece.1 - before), piece.2),
                                 pieces, arrayPushFront(arrayPopBack(ends), start))) AS billable_us
    FROM (
        SELECT l.run AS run, p.at AS at, p.us AS us
        FROM (
            SELECT hour * 4 + quarter AS at, us, {segments:Array(UInt32)}[at - {from:UInt32} + 1] AS segment,
                   cluster::String AS cluster, card::String AS card, model::String AS model, o_node::String AS node,
                   o_owner::String AS owner, cityHash64(owner, cluster, node, card, model) AS place
            FROM (
                SELECT hour, card, cluster, model, by_owner.quarter AS q, by_owner.node AS n, by_owner.owner AS o, by_owner.billable_us AS b,
                       hour * 4 >= {from:UInt32} AND hour * 4 + 4 <= {to:UInt32}
                       AND arrayUniq(o) = 1 AND arrayUniq(n) = 1 AND q[-1] - q[1] + 1 = length(q)
                       AND {segments:Array(UInt32)}[hour * 4 + q[1] - {from:UInt32} + 1]
                           = {segments:Array(UInt32)}[hour * 4 + q[-1] - {from:UInt32} + 1] AS whole
                FROM card_hour FINAL
                WHERE hour >= intDiv({from:UInt32}, 4) AND hour <= intDiv({to:UInt32} - 1, 4)
            )
            ARRAY JOIN if(whole, [q[1]], q) AS quarter, if(whole, [n[1]], n) AS o_node, if(whole, [o[1]], o) AS o_owner,
                       if(whole, [b], arrayMap(each -> [each], b)) AS us
            WHERE hour * 4 + quarter >= {from:UInt32} AND hour * 4 + quarter < {to:UInt32} AND arraySum(us) > 0
        ) AS p
        ASOF INNER JOIN {line:Identifier} AS l ON l.place = p.place AND p.segment >= l.first
        WHERE p.segment <= l.last AND l.owner = p.owner AND l.cluster = p.cluster AND l.node = p.node AND l.card = p.card
          AND l.model = p.model
    )
    GROUP BY run, intDiv(at - {from:UInt32}, 96)
) AS d
INNER JOIN {line:Identifier} AS l ON l.run = d.run
