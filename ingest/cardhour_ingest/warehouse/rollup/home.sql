-- The homes, as spans, of those of the pages' cards that more than one node has listed. Records from elsewhere do not count.
CREATE TABLE {home:Identifier} ENGINE = Memory AS
SELECT card, w.1 AS node, w.2 AS from_ms, w.3 AS to_ms
FROM (SELECT card, argMax(node, version) AS nodes, argMax(from_ms, version) AS froms FROM card_home GROUP BY card)
ARRAY JOIN arrayZip(nodes, arrayConcat([0::UInt64], arrayPopFront(froms)), arrayConcat(arrayPopFront(froms), [18446744073709551615])) AS w
WHERE card IN (SELECT card FROM {page_key:Identifier})
