-- Days of arrival that raw rows are kept of and that lie before {before}.
SELECT toDate(parseDateTimeBestEffort(partition)) AS day, sumIf(rows, table = 'usage_record') AS usage_rows,
       sumIf(rows, table = 'card_record') AS card_rows, sum(bytes_on_disk) AS bytes, groupUniqArray(table) AS tables
FROM system.parts
WHERE database = currentDatabase() AND table IN ('usage_record', 'card_record') AND active
  AND toDate(parseDateTimeBestEffort(partition)) < {before:Date}
GROUP BY day ORDER BY day
