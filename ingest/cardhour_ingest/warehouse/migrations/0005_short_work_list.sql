-- A settled mark is of no more use once it has merged with its open one. Each rollup reads the whole list: 100 000 cards leave
-- 18 M settled marks a day. Kept for an hour, so that the list stays in the low millions. As before, an expiry that came
-- before the merge may resurrect a mark, and recomputing a page is harmless.
ALTER TABLE dirty_hour MODIFY TTL marked_at + INTERVAL 1 HOUR DELETE WHERE done = 1;

-- The engine looks for expired rows every four hours unless told otherwise.
ALTER TABLE dirty_hour MODIFY SETTING merge_with_ttl_timeout = 600;
