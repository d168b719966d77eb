-- Unbroken stretches of quarters in [{from}, {to}) in which a card was not observed for one reason, by card and time.
-- What a page says, and the hours without one, as decompose.sql counts them.
WITH
    2147483648::UInt32 AS forever,
    home AS (SELECT card, argMax(from_ms, version) AS froms, argMax(node, version) AS nodes FROM card_home GROUP BY card),
    known AS (
        SELECT card, max(scanned) AS on_scan, argMax(node, (scanned, last_seen_ms, node))::String AS latest, max(model) AS model,
               if(on_scan = 1, intDiv(minIf(first_seen_ms, scanned = 1), 3600000), 0)::UInt32 AS first_hour,
               least({now:UInt32}, if(on_scan = 1, intDiv(maxIf(last_seen_ms, scanned = 1), 3600000) + 720, forever)::UInt32) AS end_hour
        FROM card GROUP BY card
    ),
    page AS (
        SELECT p.hour AS hour, p.card::String AS card, unobserved.quarter AS quarters, unobserved.reason AS reasons, unobserved.unobserved_us AS amounts
        FROM card_hour AS p FINAL INNER JOIN known AS k ON k.card = p.card
        WHERE p.hour >= intDiv({from:UInt32}, 4) AND p.hour <= intDiv({to:UInt32} - 1, 4)
          AND (p.raw_rows > 0 OR (p.hour >= k.first_hour AND p.hour < k.end_hour))
    ),
    gap AS (
        SELECT card, on_scan, g.1 AS start, g.2 AS end
        FROM (
            SELECT k.card AS card, any(k.on_scan) AS on_scan,
                   greatest({from:UInt32}, any(k.first_hour)::UInt64 * 4) AS first, least({to:UInt32}, any(k.end_hour)::UInt64 * 4) AS last,
                   arraySort(groupUniqArrayIf(p.hour::UInt64, p.card != '')) AS hours
            FROM known AS k LEFT JOIN (SELECT card, hour FROM page) AS p ON p.card = k.card
            GROUP BY card
        )
        ARRAY JOIN arrayZip(arrayConcat([first], arrayMap(h -> greatest(first, (h + 1) * 4), hours)),
                            arrayConcat(arrayMap(h -> least(last, h * 4), hours), [last])) AS g
        WHERE g.2 > g.1
    ),
    event AS (
        SELECT card, reason::String AS reason, toUInt64(hour) * 4 + quarter AS start, start + 1 AS end, us
        FROM page ARRAY JOIN quarters AS quarter, reasons AS reason, amounts AS us
        WHERE hour * 4 + quarter >= {from:UInt32} AND hour * 4 + quarter < {to:UInt32} AND us > 0
        UNION ALL
        SELECT card, if(on_scan = 1, 'not_rolled_up', 'imported'), start, end, toUInt64(end - start) * 900000000 FROM gap
    )
SELECT e.card AS card, k.model AS model,
       if(empty(h.nodes), k.latest, h.nodes[greatest(1, arrayLastIndex(f -> f <= e.since * 900000, h.froms))]) AS node,
       e.reason AS reason, e.since AS since, e.until AS until, e.unobserved_us AS unobserved_us
FROM (
    SELECT card, reason, min(start) AS since, max(end) AS until, sum(us) AS unobserved_us
    FROM (
        SELECT *, sum(begins) OVER (PARTITION BY card, reason ORDER BY start ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS island
        FROM (
            SELECT *, lagInFrame(end, 1, 0) OVER (PARTITION BY card, reason ORDER BY start ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) != start AS begins
            FROM event
        )
    )
    GROUP BY card, reason, island
) AS e
INNER JOIN known AS k ON k.card = e.card
LEFT JOIN home AS h ON h.card = e.card
ORDER BY card, since, reason
