ALTER TABLE card_hour_local ON CLUSTER 'fleet' MODIFY SETTING min_age_to_force_merge_seconds = 86400, min_age_to_force_merge_on_partition_only = 1;
