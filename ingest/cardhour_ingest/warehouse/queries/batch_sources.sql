-- Where batches came from: the report or the file, and where it was read.
SELECT batch, any(source_id) AS source_id, any(position) AS position
FROM ingest_batch
WHERE batch IN {batches:Array(UInt64)}
GROUP BY batch
