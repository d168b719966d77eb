-- When each node was last heard of, of those heard since {since}: any report counts, whatever it says. Imports have no node.
SELECT node::String AS node, toUnixTimestamp64Milli(max(received_at)) AS heard_at_ms
FROM ingest_batch
WHERE received_at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC') AND node != ''
GROUP BY node
ORDER BY heard_at_ms, node
