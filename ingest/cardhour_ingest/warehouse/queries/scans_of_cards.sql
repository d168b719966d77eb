-- Scans of every node that ever listed one of some cards, without retracted ones: which of them it lists, and which it ever did.
WITH claim AS (SELECT node, groupUniqArray(card) AS claimants FROM card WHERE scanned = 1 AND card IN {cards:Array(String)} GROUP BY node)
SELECT s.node AS node, s.at_ms AS at_ms, c.claimants AS claimants, arrayIntersect(s.cards, c.claimants) AS listed
FROM node_scan AS s INNER JOIN claim AS c ON c.node = s.node
WHERE s.node IN (SELECT node FROM claim)
  AND NOT arrayExists(r -> r.3 <= s.at_ms AND s.at_ms < r.4 AND s.received_at < r.5
                           AND ((r.1 = 'batch' AND r.2 = toString(s.batch)) OR (r.1 = 'node' AND r.2 = s.node)),
                      (SELECT groupArray((scope, subject, from_ms, to_ms, recorded_at)) FROM retraction))
ORDER BY at_ms, node
