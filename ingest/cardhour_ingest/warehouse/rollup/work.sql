-- The marks this recomputation will settle: all open marks of the first {limit} dirty (hour, node) pairs.
-- Read before raw, so that a mark set while we read stays open.
CREATE TABLE {work:Identifier} ENGINE = Memory AS
WITH open AS (SELECT hour, node, mark FROM dirty_hour GROUP BY hour, node, mark HAVING max(done) = 0)
SELECT hour, node, mark FROM open
WHERE (hour, node) IN (SELECT hour, node FROM open GROUP BY hour, node ORDER BY hour, node LIMIT {limit:UInt32})
