-- Whether a file was imported to the end: its batch is written last.
SELECT count() > 0 FROM ingest_batch WHERE batch = {batch:UInt64}
