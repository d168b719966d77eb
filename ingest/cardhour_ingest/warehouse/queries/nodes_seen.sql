-- Every node that ever reported: its cards, and its last report of those that arrived since {since_ms}.
SELECT n.node::String AS node, n.latest::String AS cluster, toInt64(n.seen_ms) AS seen_at_ms, toUInt32(c.cards) AS cards,
       b.received_ms AS received_ms, b.ntp_synced AS ntp_synced, b.ahead_ms AS ahead_ms
FROM (SELECT node, argMax(cluster, seen_at_ms) AS latest, max(seen_at_ms) AS seen_ms FROM node GROUP BY node) AS n
LEFT JOIN (
    SELECT node, toUnixTimestamp64Milli(max(received_at)) AS received_ms, argMax(tuple(ntp_synced), received_at).1 AS ntp_synced,
           argMax(tuple(toInt64(sent_at_ms) - toUnixTimestamp64Milli(received_at)), received_at).1 AS ahead_ms
    FROM ingest_batch
    WHERE received_at >= fromUnixTimestamp64Milli({since_ms:Int64})
    GROUP BY node
) AS b ON b.node = n.node
LEFT JOIN (SELECT node, uniqExact(card) AS cards FROM card WHERE scanned = 1 GROUP BY node) AS c ON c.node = n.node
ORDER BY node
