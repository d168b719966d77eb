-- The marks this recomputation will settle: all open marks of the {limit} (hour, node) pairs that have waited longest, so that
-- what is marked again and again cannot starve the rest. Read before raw, so that a mark set while we read stays open.
CREATE TABLE {work:Identifier} ENGINE = Memory AS
WITH open AS (
    SELECT hour, node, mark, min(marked_at) AS since FROM dirty_hour GROUP BY hour, node, mark HAVING max(done) = 0
)
SELECT hour, node, mark FROM open
WHERE (hour, node) IN (SELECT hour, node FROM open GROUP BY hour, node ORDER BY min(since), hour, node LIMIT {limit:UInt32})
