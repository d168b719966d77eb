-- Days of arrival before {before} that raw rows are still kept of. Whole partitions are read, and only of their one column.
SELECT day, sum(u) AS usage_rows, sum(c) AS card_rows
FROM (
    SELECT toDate(received_at) AS day, count() AS u, 0::UInt64 AS c FROM usage_record
    WHERE received_at < toDateTime64({before:Date}, 3, 'UTC') GROUP BY day
    UNION ALL
    SELECT toDate(received_at) AS day, 0::UInt64, count() FROM card_record
    WHERE received_at < toDateTime64({before:Date}, 3, 'UTC') GROUP BY day
)
GROUP BY day ORDER BY day
