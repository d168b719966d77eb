-- What is known only of some owners, by hours before {end}: processes and workloads that no later row names, processes that a late
-- answer gave to them, and dead letters that speak of them.
INSERT INTO erasure_key (erasure, kind, key)
SELECT {erasure:UInt64}, 'answered', process FROM attribution WHERE owner IN {owners:Array(String)}
UNION DISTINCT
SELECT {erasure:UInt64}, 'process', process
FROM (SELECT process FROM usage_record WHERE owner IN {owners:Array(String)} AND hour < {end:UInt32}
      UNION DISTINCT SELECT process FROM attribution WHERE owner IN {owners:Array(String)})
WHERE process NOT IN (SELECT process FROM usage_record WHERE hour >= {end:UInt32})
UNION DISTINCT
SELECT {erasure:UInt64}, 'workload', workload FROM workload
WHERE owner IN {owners:Array(String)} AND name != ''
  AND workload NOT IN (SELECT workload FROM usage_record WHERE owner IN {owners:Array(String)} AND hour >= {end:UInt32})
  AND workload NOT IN (SELECT workload FROM attribution WHERE owner IN {owners:Array(String)} AND at_ms >= {end:UInt32} * 3600000)
UNION DISTINCT
SELECT {erasure:UInt64}, 'letter', letter FROM dead_letter
WHERE received_at < toDateTime64({end:UInt32} * 3600, 3, 'UTC') AND (body != '' OR detail != '')
  AND arrayExists(o -> position(body, o) > 0 OR position(detail, o) > 0, {owners:Array(String)})
