-- Silence gets its page too: marks every (hour, node) at which a card that scans have listed has no page yet, from the hour it
-- was first seen. A card that no scan has listed for 30 days is retired.
INSERT INTO dirty_hour (hour, node, mark, done)
WITH listed AS (
    SELECT card, argMax(node, (last_seen_ms, node)) AS home,
           intDiv(min(first_seen_ms), 3600000) AS first_hour, intDiv(max(last_seen_ms), 3600000) AS last_hour
    FROM card WHERE scanned = 1 GROUP BY card
)
SELECT DISTINCT toUInt32(at) AS hour, home, {mark:UInt64}, 0
FROM (SELECT card, home, arrayJoin(range(toUInt32(greatest(first_hour, {from:UInt32})), toUInt32(least({to:UInt32}, last_hour + 720)))) AS at
      FROM listed WHERE greatest(first_hour, {from:UInt32}) < least({to:UInt32}, last_hour + 720)) AS expected
LEFT ANTI JOIN (SELECT DISTINCT hour, card::String AS card FROM card_hour WHERE hour >= {from:UInt32} AND hour < {to:UInt32}) AS page
    ON page.hour = expected.at AND page.card = expected.card
