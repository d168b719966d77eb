-- Unbroken stretches of quarters in [{from}, {to}) in which a card was not observed for one reason, by card and time.
-- What a page says, and the hours without one, as decompose.sql counts them.
WITH
    home AS (SELECT card, argMax(from_ms, version) AS froms, argMax(node, version) AS nodes FROM card_home GROUP BY card),
    retired AS (
        SELECT card,
               arrayMap(f -> toUInt32(least(intDiv(f + 3599999, 3600000), {now:UInt32})), argMax(from_ms, version)) AS ends,
               arrayMap(u -> toUInt32(least(intDiv(u, 3600000), {now:UInt32})), argMax(until_ms, version)) AS returns
        FROM card_retirement GROUP BY card
    ),
    known AS (
        SELECT c.*, arrayFilter(w -> w.2 > w.1, arrayZip(arrayConcat([c.first_hour], r.returns), arrayConcat(r.ends, [{now:UInt32}]))) AS watched
        FROM (
            SELECT card, max(scanned) AS on_scan, argMax(node, (scanned, last_seen_ms, node))::String AS latest, max(model) AS model,
                   if(on_scan = 1, intDiv(minIf(first_seen_ms, scanned = 1), 3600000), 0)::UInt32 AS first_hour
            FROM card GROUP BY card
        ) AS c LEFT JOIN retired AS r ON r.card = c.card
    ),
    page AS (
        SELECT p.hour AS hour, p.card::String AS card, unobserved.quarter AS quarters, unobserved.reason AS reasons, unobserved.unobserved_us AS amounts
        FROM card_hour AS p FINAL INNER JOIN known AS k ON k.card = p.card
        WHERE p.hour >= intDiv({from:UInt32}, 4) AND p.hour <= intDiv({to:UInt32} - 1, 4)
          AND (p.raw_rows > 0 OR arrayExists(w -> p.hour >= w.1 AND p.hour < w.2, k.watched))
    ),
    gap AS (
        SELECT card, on_scan, g.1 AS start, g.2 AS end
        FROM (
            SELECT k.card AS card, any(k.on_scan) AS on_scan,
                   greatest({from:UInt32}, w.1::UInt64 * 4) AS first, least({to:UInt32}, w.2::UInt64 * 4) AS last,
                   arraySort(groupUniqArrayIf(p.hour::UInt64, p.card != '' AND p.hour >= w.1 AND p.hour < w.2)) AS hours
            FROM (SELECT card, on_scan, arrayJoin(watched) AS w FROM known) AS k LEFT JOIN (SELECT card, hour FROM page) AS p ON p.card = k.card
            GROUP BY card, w
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
