-- Hours whose sums are missing or older than their pages, the latest first: nothing was written for {quiet_s} seconds, and all
-- that was begun is done, or is done no more.
SELECT hour, toUInt32(uniqExact(writing, done)) AS words
FROM page_write
GROUP BY hour
HAVING max(said_at) <= now64(6) - toIntervalSecond({quiet_s:UInt32})
   AND (uniqExact(writing) * 2 = words OR max(said_at) <= now64(6) - toIntervalSecond({dead_s:UInt32}))
   AND (hour, words) NOT IN (SELECT hour, words FROM hour_summed)
ORDER BY hour DESC
LIMIT {limit:UInt32}
