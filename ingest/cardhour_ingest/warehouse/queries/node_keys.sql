-- Keys as they stand now. A key belongs to the node that it was first enrolled for, should two people have enrolled it at
-- once; its earliest revocation counts.
WITH known AS (
    SELECT key_id, argMin(node::String, (recorded_at, node)) AS home, any(k.public_key) AS public_key, min(recorded_at) AS enrolled_at,
           argMin(k.who, (recorded_at, node)) AS enrolled_by
    FROM node_key AS k WHERE fact = 'enrolled' GROUP BY key_id
), ended AS (
    SELECT key_id, min(from_ms) AS revoked_from_ms, argMin(k.reason, (from_ms, recorded_at)) AS reason
    FROM node_key AS k WHERE fact = 'revoked' GROUP BY key_id
)
SELECT known.home AS node, known.key_id AS key_id, public_key, toUnixTimestamp64Milli(enrolled_at) AS enrolled_at_ms, enrolled_by,
       ended.key_id != '' AS revoked, ended.revoked_from_ms AS revoked_from_ms, ended.reason AS reason
FROM known LEFT JOIN ended ON ended.key_id = known.key_id
WHERE {node:String} = '' OR node = {node:String}
ORDER BY known.enrolled_at, known.key_id
