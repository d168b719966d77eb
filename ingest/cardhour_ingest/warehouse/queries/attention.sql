-- What stands between a span's ledger and the truth: messages since it began that nobody could read, and pages that do not add up.
-- A breach is mended when a page was written that had read raw later. Only breached pages are looked at: a month of a large fleet
-- has 72 million others.
WITH breach AS (
    SELECT hour, card, max(version) AS version FROM ledger_breach
    WHERE hour >= intDiv({from:UInt32}, 4) AND hour <= intDiv({to:UInt32} - 1, 4) GROUP BY hour, card
)
SELECT (SELECT uniqExact(letter) FROM dead_letter
        WHERE received_at >= toDateTime64({from:UInt32} * 900, 3, 'UTC')
          AND letter NOT IN (SELECT letter FROM letter_replay WHERE outcome = 'accepted')) AS dead_letters,
       (SELECT uniqExact(b.hour, b.card)
        FROM breach AS b
        LEFT JOIN (SELECT hour, card::String AS card, max(version) AS version FROM card_hour
                   WHERE hour IN (SELECT hour FROM breach) AND card_hour.card IN (SELECT card FROM breach)
                   GROUP BY hour, card) AS p
            ON p.hour = b.hour AND p.card = b.card
        WHERE b.version >= p.version) AS breached_pages
