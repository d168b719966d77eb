-- The raw rows of some owners in hours [{from}, {to}), repeats once, with what is known of their processes; also of processes that a late
-- answer gave to them.
WITH answer AS (
    SELECT process, argMax((owner::String, workload, share), (at_ms, owner, workload, share)) AS claim FROM attribution
    WHERE process IN (SELECT process FROM attribution WHERE owner IN {owners:Array(String)}) GROUP BY process
)
SELECT r.start_ms AS start_ms, r.end_ms AS end_ms, r.node AS node, c.cluster AS cluster, r.card AS card, r.holder AS owner, n.name AS workload,
       r.part AS share, r.process AS process, p.pid AS pid, p.uid AS uid, p.command AS command, p.cgroup AS cgroup, p.container_id AS container_id,
       r.active AS active, r.memory AS memory
FROM (
    SELECT DISTINCT u.start_ms AS start_ms, u.end_ms AS end_ms, u.node::String AS node, u.card::String AS card, u.process AS process,
           startsWith(u.owner, 'unknown:') AND a.claim.1 != '' AS answered, if(answered, a.claim.1, u.owner::String) AS holder,
           if(answered, a.claim.2, u.workload) AS work, if(answered, a.claim.3, u.share) AS part, u.active AS active, u.memory AS memory
    FROM usage_record AS u LEFT JOIN answer AS a ON a.process = u.process
    WHERE u.hour >= {from:UInt32} AND u.hour < {to:UInt32}
      AND (u.owner IN {owners:Array(String)} OR u.process IN (SELECT process FROM answer))
) AS r
LEFT JOIN (SELECT card, node::String AS node, argMax(cluster, (last_seen_ms, cluster))::String AS cluster FROM card GROUP BY card, node) AS c
    ON c.card = r.card AND c.node = r.node
LEFT JOIN (SELECT workload, any(name) AS name FROM workload WHERE owner IN {owners:Array(String)} GROUP BY workload) AS n ON n.workload = r.work
LEFT JOIN (SELECT process, any(pid) AS pid, any(uid) AS uid, any(command) AS command, any(cgroup) AS cgroup, any(container_id) AS container_id
           FROM process WHERE process IN (SELECT process FROM usage_record WHERE hour >= {from:UInt32} AND hour < {to:UInt32} AND owner IN {owners:Array(String)})
              OR process IN (SELECT process FROM answer) GROUP BY process) AS p ON p.process = r.process
WHERE r.holder IN {owners:Array(String)}
ORDER BY start_ms, card, process, end_ms
