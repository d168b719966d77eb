-- The batches of the imported files that have a name, or a SHA-256.
SELECT b.batch AS batch, any(b.source_id) AS source_id, any(b.position) AS name, min(b.started_at_ms) AS started_at_ms,
       max(b.ended_at_ms) AS ended_at_ms
FROM ingest_batch AS b
WHERE b.node = '' AND b.boot_id = '' AND (b.position = {file:String} OR b.source_id = replaceOne({file:String}, 'sha256:', ''))
GROUP BY b.batch ORDER BY b.batch
