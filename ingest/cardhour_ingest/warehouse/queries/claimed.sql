-- Whose processes are, and what they ran with which share of the card, by the latest answer that came after their records.
SELECT process, argMax((owner::String, workload, share), (at_ms, owner, workload, share)) AS claim
FROM attribution
WHERE process IN {processes:Array(UInt64)}
GROUP BY process
