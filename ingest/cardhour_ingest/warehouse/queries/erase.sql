-- Names before the rows that lead to them, so that a repeat after a crash still finds them. What is said of a process that later
-- rows name as well stays, and so do the answers that those rows need. Numbers and names (as hex) are written out: statements
-- that a cluster passes on to its servers take no parameters along.
ALTER TABLE dead_letter UPDATE body = '', headers = [], detail = 'erased'
WHERE letter IN (SELECT key FROM erasure_key WHERE erasure = {erasure} AND kind = 'letter') SETTINGS mutations_sync = 2;

ALTER TABLE process DELETE
WHERE process IN (SELECT key FROM erasure_key WHERE erasure = {erasure} AND kind = 'process') SETTINGS mutations_sync = 2;

ALTER TABLE workload DELETE
WHERE owner IN ({owners}) AND workload IN (SELECT key FROM erasure_key WHERE erasure = {erasure} AND kind = 'workload') SETTINGS mutations_sync = 2;

ALTER TABLE usage_record DELETE
WHERE hour < {end} AND (owner IN ({owners}) OR (startsWith(owner, 'unknown:')
      AND process IN (SELECT key FROM erasure_key WHERE erasure = {erasure} AND kind = 'answered'))) SETTINGS mutations_sync = 2;

ALTER TABLE attribution DELETE
WHERE owner IN ({owners}) AND process IN (SELECT key FROM erasure_key WHERE erasure = {erasure} AND kind = 'process') SETTINGS mutations_sync = 2;

ALTER TABLE erasure_key DELETE WHERE erasure = {erasure} SETTINGS mutations_sync = 2
