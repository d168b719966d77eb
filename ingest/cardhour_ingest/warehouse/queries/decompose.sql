-- Where each card's time went in quarters [{from}, {to}), by the node that was its home when an hour began. A page says it of an
-- hour; a watched hour without one is counted on its own: `imported` for a card known only from imports, else `not_rolled_up`.
-- Watched: a scanned card from the hour of its first sight, but for the hours in which it is retired; an imported one always;
-- hours to come ({now} and later) never. A page outside those hours counts where raw rows made it.
WITH
    2147483648::UInt32 AS forever,
    home AS (SELECT card, argMax(from_ms, version) AS froms, argMax(node, version) AS nodes FROM card_home GROUP BY card),
    retired AS (
        SELECT card,
               arrayMap(f -> toUInt32(least(intDiv(f + 3599999, 3600000), {now:UInt32})), argMax(from_ms, version)) AS ends,
               arrayMap(u -> toUInt32(least(intDiv(u, 3600000), {now:UInt32})), argMax(until_ms, version)) AS returns
        FROM card_retirement GROUP BY card
    ),
    known AS (
        SELECT card, max(scanned) AS on_scan, argMax(node, (scanned, last_seen_ms, node))::String AS latest, max(model) AS model,
               if(on_scan = 1, intDiv(minIf(first_seen_ms, scanned = 1), 3600000), 0)::UInt32 AS first_hour
        FROM card GROUP BY card
    ),
    stay AS (
        SELECT card, model, watched, s.1 AS node, s.2 AS from_hour, s.3 AS to_hour
        FROM (
            SELECT known.card AS card, known.model AS model, if(empty(home.nodes), [known.latest], home.nodes) AS nodes,
                   -- an hour belongs to the home at which it begins
                   arrayMap(f -> toUInt32(intDiv(f + 3599999, 3600000)), arrayPopFront(home.froms)) AS changes,
                   arrayFilter(w -> w.2 > w.1, arrayZip(arrayConcat([known.first_hour], retired.returns),
                                                        arrayConcat(retired.ends, [{now:UInt32}]))) AS watched
            FROM known LEFT JOIN home ON home.card = known.card LEFT JOIN retired ON retired.card = known.card
        )
        ARRAY JOIN arrayZip(nodes, arrayConcat([0::UInt32], changes), arrayConcat(changes, [forever])) AS s
    ),
    page AS (
        SELECT hour, card::String AS card, raw_rows,
               least({to:UInt32}, hour * 4 + 4) - greatest({from:UInt32}, hour * 4) AS quarters,
               arraySum((us, q) -> if(hour * 4 + q >= {from:UInt32} AND hour * 4 + q < {to:UInt32}, us, 0), by_owner.billable_us, by_owner.quarter) AS billable,
               arraySum((us, q) -> if(hour * 4 + q >= {from:UInt32} AND hour * 4 + q < {to:UInt32}, us, 0), idle_us, [0, 1, 2, 3]) AS idle,
               arraySum((us, q) -> if(hour * 4 + q >= {from:UInt32} AND hour * 4 + q < {to:UInt32}, us, 0), faulted_us, [0, 1, 2, 3]) AS faulted,
               arraySum((us, q) -> if(hour * 4 + q >= {from:UInt32} AND hour * 4 + q < {to:UInt32}, us, 0), unobserved.unobserved_us, unobserved.quarter) AS unobserved,
               arraySum((us, q) -> if(hour * 4 + q >= {from:UInt32} AND hour * 4 + q < {to:UInt32}, us, 0), rounding_us, [0, 1, 2, 3]) AS rounding
        FROM card_hour FINAL
        WHERE hour >= intDiv({from:UInt32}, 4) AND hour <= intDiv({to:UInt32} - 1, 4)
    ),
    counted AS (
        SELECT s.card AS card, s.node AS node, s.from_hour AS from_hour, sum(p.quarters) AS quarters,
               sumIf(p.quarters, arrayExists(w -> p.hour >= w.1 AND p.hour < w.2, s.watched)) AS watched_quarters,
               sum(p.billable) AS billable_us, sum(p.idle) AS idle_us, sum(p.faulted) AS faulted_us,
               sum(p.unobserved) AS unobserved_us, sum(p.rounding) AS rounding_us
        FROM page AS p INNER JOIN stay AS s ON s.card = p.card
        WHERE p.hour >= s.from_hour AND p.hour < s.to_hour AND (p.raw_rows > 0 OR arrayExists(w -> p.hour >= w.1 AND p.hour < w.2, s.watched))
        GROUP BY card, node, from_hour
    ),
    watch AS (
        SELECT card, node, model, from_hour,
               arraySum(w -> greatest(0, toInt64(least({to:UInt32}, least(w.2, to_hour)::UInt64 * 4))
                                         - toInt64(greatest({from:UInt32}, greatest(w.1, from_hour)::UInt64 * 4))), watched) AS quarters
        FROM stay
    )
SELECT w.card AS card, w.node AS node, w.model AS model,
       (c.quarters + w.quarters - c.watched_quarters) * 900000000 AS span_us,
       c.billable_us AS billable_us, c.idle_us AS idle_us, c.faulted_us AS faulted_us,
       c.unobserved_us + (w.quarters - c.watched_quarters) * 900000000 AS unobserved_us, c.rounding_us AS rounding_us
FROM watch AS w LEFT JOIN counted AS c ON c.card = w.card AND c.node = w.node AND c.from_hour = w.from_hour
WHERE span_us > 0
ORDER BY card, w.from_hour
