-- What card records of complex quarters say, under the same two rules: from the card's home, and not retracted.
CREATE TABLE {seen:Identifier} ENGINE = Memory AS
WITH ruled AS (
    SELECT r.hour AS hour, r.card::String AS card, toUInt8(intDiv(start_ms, 900000) % 4) AS quarter, state,
           toInt64(start_ms) AS from_at, toInt64(end_ms) AS to_at, node::String AS node, homes.spans AS spans,
           arrayMap(x -> (toInt64(x.3), toInt64(x.4)), arrayFilter(
               x -> r.received_at < x.5 AND ((x.1 = 'batch' AND x.2 = toString(r.batch)) OR (x.1 = 'node' AND x.2 = r.node) OR (x.1 = 'card' AND x.2 = r.card)),
               (SELECT groupArray((scope, subject, from_ms, least(to_ms, 9000000000000000), recorded_at)) FROM {retraction:Identifier}))) AS holes,
           arrayMap(x -> (toInt64(x.2), toInt64(least(x.3, 9000000000000000))), arrayFilter(x -> x.1 = r.node, spans)) AS at_home
    FROM card_record AS r
    LEFT JOIN (SELECT card, groupArray((node, from_ms, to_ms)) AS spans FROM {home:Identifier} GROUP BY card) AS homes ON homes.card = r.card
    WHERE cityHash64(hour, r.card) IN (SELECT cityHash64(hour, card) FROM {quick:Identifier} WHERE complex)
      AND indexHint((hour, r.card) IN (SELECT hour, card FROM {quick:Identifier} WHERE complex)) AND end_ms > start_ms
      AND (hour, r.card::String, toUInt8(intDiv(start_ms, 900000) % 4)) IN (SELECT hour, card, quarter FROM {quick:Identifier} WHERE complex)
)
SELECT DISTINCT hour, card, quarter, state,
       toUInt32(part.1 - (toInt64(hour) * 3600000 + quarter * 900000)) AS s,
       toUInt32(part.2 - (toInt64(hour) * 3600000 + quarter * 900000)) AS e
FROM (
    SELECT *, arraySort(arrayDistinct(arrayConcat([from_at, to_at], arrayFilter(
                  at -> at > from_at AND at < to_at, arrayConcat(holes.1, holes.2, at_home.1, at_home.2))))) AS ends
    FROM ruled
)
ARRAY JOIN arrayFilter(
    p -> NOT arrayExists(h -> h.1 <= p.1 AND h.2 >= p.2, holes)
         AND (empty(spans) OR arrayExists(h -> h.1 <= p.1 AND h.2 >= p.2, at_home)),
    arrayZip(arrayPopBack(ends), arrayPopFront(ends))) AS part
