ALTER TABLE dirty_hour MODIFY TTL marked_at + INTERVAL 1 HOUR DELETE WHERE done = 1;

ALTER TABLE dirty_hour ON CLUSTER 'fleet' MODIFY SETTING merge_with_ttl_timeout = 600;
