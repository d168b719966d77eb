-- The batches of the imported files that have a name, or a SHA-256.
SELECT batch, any(source_id) AS source_id, any(position) AS name, min(started_at_ms) AS started_at_ms, max(ended_at_ms) AS ended_at_ms
FROM ingest_batch
WHERE node = '' AND boot_id = '' AND (position = {file:String} OR source_id = {file:String} OR source_id = replaceOne({file:String}, 'sha256:', ''))
GROUP BY batch ORDER BY batch
