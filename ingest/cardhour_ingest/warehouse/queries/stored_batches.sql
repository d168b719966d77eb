-- Which of these reports are wholly in: a batch is listed last.
SELECT DISTINCT batch FROM ingest_batch WHERE batch IN {batches:Array(UInt64)}
