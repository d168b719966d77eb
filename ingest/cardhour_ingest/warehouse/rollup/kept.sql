-- What is left of those rows: the time in which their node was the card's home, without what was retracted after they were
-- received. A row keeps its whole length beside what is left of it, because its integrals are spread over all of it.
CREATE TABLE {kept:Identifier} ENGINE = Memory AS
WITH ruled AS (
    SELECT r.*, toInt64(hour) * 3600000 + quarter * 900000 AS origin_ms, homes.spans AS spans,
           arrayMap(x -> (greatest(toInt64(x.3) - origin_ms, 0), least(toInt64(x.4) - origin_ms, 900000)), arrayFilter(
               x -> r.received_at < x.5 AND toInt64(x.3) < origin_ms + e AND toInt64(x.4) > origin_ms + s
                    AND ((x.1 = 'batch' AND x.2 = toString(r.batch)) OR (x.1 = 'node' AND x.2 = r.node) OR (x.1 = 'card' AND x.2 = r.card)
                         OR (x.1 = 'process' AND x.2 = toString(r.process)) OR (x.1 = 'owner' AND x.2 = r.raw_owner)),
               (SELECT groupArray((scope, subject, from_ms, least(to_ms, 9000000000000000), recorded_at)) FROM {retraction:Identifier}))) AS holes,
           arrayMap(x -> (greatest(toInt64(x.2) - origin_ms, 0), toInt64(least(x.3, 9000000000000000)) - origin_ms),
                    arrayFilter(x -> x.1 = r.node, spans)) AS at_home
    FROM {record:Identifier} AS r
    LEFT JOIN (SELECT card, groupArray((node, from_ms, to_ms)) AS spans FROM {home:Identifier} GROUP BY card) AS homes ON homes.card = r.card
)
SELECT DISTINCT hour, card, quarter, process, toUInt32(part.1) AS s, toUInt32(part.2) AS e, toUInt64(whole.2 - whole.1) AS whole_ms,
       node, basis, owner, workload, workload_name, share, bridged, active, memory
FROM (
    SELECT *, (toInt64(s), toInt64(e)) AS whole,
           arraySort(arrayDistinct(arrayConcat([whole.1, whole.2], arrayFilter(
               at -> at > whole.1 AND at < whole.2,
               arrayConcat(holes.1, holes.2, at_home.1, at_home.2))))) AS ends
    FROM ruled
)
ARRAY JOIN arrayFilter(
    p -> NOT arrayExists(h -> h.1 <= p.1 AND h.2 >= p.2, holes)
         AND (empty(spans) OR arrayExists(h -> h.1 <= p.1 AND h.2 >= p.2, at_home)),
    arrayZip(arrayPopBack(ends), arrayPopFront(ends))) AS part
