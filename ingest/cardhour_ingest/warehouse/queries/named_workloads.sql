-- Names of workloads.
SELECT workload, any(name) AS name FROM workload WHERE workload IN {workloads:Array(UInt64)} GROUP BY workload
