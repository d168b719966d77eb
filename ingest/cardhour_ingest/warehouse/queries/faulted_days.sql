-- Faulted time of some cards by local day, with the node that each was seen on last: also of cards without a fault.
SELECT p.card::String AS card, h.node AS node,
       toString(toDate(toDateTime(p.hour * 3600 + q * 900, 'UTC'), {timezone:String})) AS day, sum(us) AS faulted_us
FROM (
    SELECT hour, card, q, us
    FROM card_hour FINAL
    ARRAY JOIN [0, 1, 2, 3] AS q, faulted_us AS us
    WHERE hour >= intDiv({from:UInt32}, 4) AND hour <= intDiv({to:UInt32} - 1, 4)
      AND hour * 4 + q >= {from:UInt32} AND hour * 4 + q < {to:UInt32}
) AS p
INNER JOIN (
    SELECT card, argMax(node, (scanned, last_seen_ms, node))::String AS node FROM card GROUP BY card
    HAVING card IN {cards:Array(String)} OR node IN {nodes:Array(String)}
) AS h ON h.card = p.card
GROUP BY card, node, day
ORDER BY card, day
