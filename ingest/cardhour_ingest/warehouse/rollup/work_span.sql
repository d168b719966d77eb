-- All of the ledger from hour {from} to {to}: wherever raw rows, a page or a card that scans listed call for a page. Marks of
-- their own (0) let a run compute them without settling anything; pairs that wait for a rollup are left out where asked.
CREATE TABLE {work:Identifier} ENGINE = Memory AS
WITH home AS (SELECT card, argMax(node, (scanned, last_seen_ms, node)) AS node FROM card GROUP BY card)
SELECT DISTINCT hour, node, 0::UInt64 AS mark FROM (
    SELECT hour, node::String AS node FROM usage_record WHERE hour >= {from:UInt32} AND hour < {to:UInt32}
    UNION ALL
    SELECT hour, node::String FROM card_record WHERE hour >= {from:UInt32} AND hour < {to:UInt32}
    UNION ALL
    SELECT p.hour, home.node::String FROM card_hour AS p INNER JOIN home ON home.card = p.card WHERE p.hour >= {from:UInt32} AND p.hour < {to:UInt32}
)
WHERE (hour, node) NOT IN (SELECT hour, node FROM dirty_hour WHERE hour >= {from:UInt32} AND hour < {to:UInt32}
                           GROUP BY hour, node, mark HAVING max(done) = 0)
