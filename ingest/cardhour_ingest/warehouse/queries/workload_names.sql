LEFT JOIN (SELECT workload, any(name) AS name FROM workload GROUP BY workload) AS named ON named.workload = entry.workload
