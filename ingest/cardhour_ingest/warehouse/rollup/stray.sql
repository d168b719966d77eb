-- Pages of this run that only say that nobody looked, of hours in which a card is retired by now: each card's spans of it.
SELECT card, groupUniqArray((span.1, span.2)) AS spans
FROM (SELECT card, arrayJoin(arrayZip(argMax(from_ms, version), argMax(until_ms, version))) AS span FROM card_retirement GROUP BY card) AS r
INNER JOIN {page:Identifier} AS p ON p.card = r.card
WHERE p.raw_rows = 0 AND span.1 <= p.hour::UInt64 * 3600000 AND span.2 >= (p.hour::UInt64 + 1) * 3600000
GROUP BY card
