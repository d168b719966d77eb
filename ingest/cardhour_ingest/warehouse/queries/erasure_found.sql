-- How much an erasure is about, and how many of its dead letters may still become usage.
SELECT (SELECT count() FROM usage_record WHERE hour < {end:UInt32} AND (owner IN {owners:Array(String)} OR (startsWith(owner, 'unknown:')
            AND process IN (SELECT key FROM erasure_key WHERE erasure = {erasure:UInt64} AND kind = 'answered')))) AS usage_rows,
       (SELECT uniqExact(process) FROM process WHERE process IN (SELECT key FROM erasure_key WHERE erasure = {erasure:UInt64} AND kind = 'process')) AS processes,
       (SELECT uniqExact(key) FROM erasure_key WHERE erasure = {erasure:UInt64} AND kind = 'workload') AS workloads,
       (SELECT uniqExact(key) FROM erasure_key WHERE erasure = {erasure:UInt64} AND kind = 'letter') AS letters,
       (SELECT uniqExact(letter) FROM dead_letter
        WHERE letter IN (SELECT key FROM erasure_key WHERE erasure = {erasure:UInt64} AND kind = 'letter') AND reason != 'too_late'
          AND letter NOT IN (SELECT letter FROM letter_replay WHERE outcome = 'accepted')) AS open_letters
