-- What nodes say of cards that are at home elsewhere: none of it counts. A record belongs to the home at which it begins.
WITH home AS (SELECT card, argMax(from_ms, version) AS froms, argMax(node, version) AS nodes FROM card_home GROUP BY card)
SELECT card, node, home_node AS home, min(start_ms) AS from_ms, max(end_ms) AS to_ms,
       countIf(is_usage) AS usage_rows, countIf(NOT is_usage) AS card_rows,
       toUInt64(intervalLengthSumIf(start_ms, end_ms, is_usage)) * 1000 AS held_us
FROM (
    SELECT r.card::String AS card, r.node::String AS node, start_ms, end_ms, 1 AS is_usage,
           home.nodes[greatest(1, arrayLastIndex(f -> f <= r.start_ms, home.froms))] AS home_node
    FROM usage_record AS r INNER JOIN home ON home.card = r.card
    WHERE r.hour >= {from:UInt32} AND r.hour < {to:UInt32} AND end_ms > start_ms
    UNION ALL
    SELECT r.card::String, r.node::String, start_ms, end_ms, 0, home.nodes[greatest(1, arrayLastIndex(f -> f <= r.start_ms, home.froms))]
    FROM card_record AS r INNER JOIN home ON home.card = r.card
    WHERE r.hour >= {from:UInt32} AND r.hour < {to:UInt32} AND end_ms > start_ms
)
WHERE node != home_node
GROUP BY card, node, home
ORDER BY card, node, from_ms
