-- Every (hour, node) of a span with raw rows or a page: to compute all of it anew.
INSERT INTO dirty_hour (hour, node, mark, done)
WITH home AS (SELECT card, argMax(node, (scanned, last_seen_ms, node)) AS node FROM card GROUP BY card)
SELECT DISTINCT hour, node, {mark:UInt64}, 0 FROM (
    SELECT hour, node::String AS node FROM usage_record WHERE hour >= {from:UInt32} AND hour < {to:UInt32}
    UNION ALL
    SELECT hour, node::String FROM card_record WHERE hour >= {from:UInt32} AND hour < {to:UInt32}
    UNION ALL
    SELECT p.hour, home.node::String FROM card_hour AS p INNER JOIN home ON home.card = p.card WHERE p.hour >= {from:UInt32} AND p.hour < {to:UInt32}
)
