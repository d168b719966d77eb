-- What is known of some cards' retirement, what staff said of it, and when each was listed last.
SELECT l.card AS card, l.listed_ms AS listed_ms, r.from_ms AS from_ms, r.until_ms AS until_ms, s.told_ms AS told_ms, toUInt64(length(s.told_ms)) AS told,
       r.listed_ms != l.listed_ms OR r.told != toUInt64(length(s.told_ms)) AS unseen
FROM (SELECT card, max(last_seen_ms) AS listed_ms FROM card WHERE scanned = 1 AND card IN {cards:Array(String)} GROUP BY card) AS l
LEFT JOIN (SELECT card, argMax(from_ms, version) AS from_ms, argMax(until_ms, version) AS until_ms,
                  argMax(card_retirement.listed_ms, version) AS listed_ms, argMax(card_retirement.told, version) AS told FROM card_retirement GROUP BY card) AS r ON r.card = l.card
LEFT JOIN (SELECT card, groupUniqArray(from_ms) AS told_ms FROM card_retired GROUP BY card) AS s ON s.card = l.card
