-- Every (hour, node) in which one of some processes has raw rows. Duplicates are harmless: hours are only marked.
SELECT DISTINCT hour, node::String AS node FROM usage_record WHERE process IN {processes:Array(UInt64)}
