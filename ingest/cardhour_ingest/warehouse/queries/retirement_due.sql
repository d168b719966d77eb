-- Cards whose retirement may be other than it was: spoken of since it was looked at, listed since where it was ever gone, or missed
-- for so long by the node that listed them last. One that is listed again before anybody looked may have been missed between: each
-- is looked at once in so long a time. The latest report of the node is enough to suspect it; scans decide.
SELECT l.card AS card
FROM (SELECT card, argMax(node, (last_seen_ms, node)) AS node, max(last_seen_ms) AS listed_ms, min(first_seen_ms) AS first_ms FROM card WHERE scanned = 1 GROUP BY card) AS l
LEFT JOIN (SELECT node, max(seen_at_ms) AS seen_at_ms FROM node GROUP BY node) AS n ON n.node = l.node
LEFT JOIN (SELECT card, argMax(listed_ms, version) AS listed_ms, argMax(told, version) AS told, argMax(notEmpty(from_ms), version) AS gone
           FROM card_retirement GROUP BY card) AS r ON r.card = l.card
LEFT JOIN (SELECT card, uniqExact(from_ms) AS told FROM card_retired GROUP BY card) AS s ON s.card = l.card
WHERE s.told != r.told OR (r.gone AND l.listed_ms != r.listed_ms)
   OR l.listed_ms >= greatest(r.listed_ms, l.first_ms) + {absent:UInt64} OR (NOT r.gone AND n.seen_at_ms >= l.listed_ms + {absent:UInt64})
ORDER BY card
