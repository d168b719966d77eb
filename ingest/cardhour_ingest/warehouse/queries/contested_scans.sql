-- Scans of every node that has listed a card which another node has listed too, without retracted ones: which of those cards
-- it lists, and which it ever claimed.
WITH contested AS (SELECT card FROM card WHERE scanned = 1 GROUP BY card HAVING uniqExact(node) > 1),
     claim AS (SELECT node, groupUniqArray(card) AS claimants FROM card WHERE scanned = 1 AND card IN (SELECT card FROM contested) GROUP BY node)
SELECT s.node AS node, s.at_ms AS at_ms, c.claimants AS claimants, arrayIntersect(s.cards, c.claimants) AS listed
FROM node_scan AS s INNER JOIN claim AS c ON c.node = s.node
WHERE NOT arrayExists(r -> r.3 <= s.at_ms AND s.at_ms < r.4 AND s.received_at < r.5
                           AND ((r.1 = 'batch' AND r.2 = toString(s.batch)) OR (r.1 = 'node' AND r.2 = s.node)),
                      (SELECT groupArray((scope, subject, from_ms, to_ms, recorded_at)) FROM retraction))
ORDER BY at_ms, node
