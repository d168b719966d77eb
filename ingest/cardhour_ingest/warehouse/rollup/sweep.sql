-- Silence gets its page too: marks every (hour, node) at which a card that scans have listed has no page yet, from the hour it
-- was first seen, but for the hours in which it is retired.
INSERT INTO dirty_hour (hour, node, mark, done)
WITH listed AS (
    SELECT card, argMax(node, (last_seen_ms, node)) AS home, intDiv(min(first_seen_ms), 3600000) AS first_hour
    FROM card WHERE scanned = 1 GROUP BY card
),
retired AS (SELECT card, argMax(from_ms, version) AS froms, argMax(until_ms, version) AS untils FROM card_retirement GROUP BY card)
SELECT DISTINCT toUInt32(at) AS hour, home, {mark:UInt64}, 0
FROM (SELECT l.card AS card, l.home AS home,
             arrayJoin(arrayFilter(h -> NOT arrayExists((from, until) -> from <= h::UInt64 * 3600000 AND until >= (h::UInt64 + 1) * 3600000, r.froms, r.untils),
                                   range(toUInt32(greatest(l.first_hour, {from:UInt32})), {to:UInt32}))) AS at
      FROM listed AS l LEFT JOIN retired AS r ON r.card = l.card
      WHERE greatest(l.first_hour, {from:UInt32}) < {to:UInt32}) AS expected
LEFT ANTI JOIN (SELECT DISTINCT hour, card::String AS card FROM card_hour WHERE hour >= {from:UInt32} AND hour < {to:UInt32}) AS page
    ON page.hour = expected.at AND page.card = expected.card
