SELECT count() AS pages,
       countIf(NOT (arrayAll(us -> us = 900000000, sums_us) AND workloads_agree)) AS breached,
       countIf(raw_rows < before.seen) AS sealed
FROM {page:Identifier} AS p
LEFT JOIN (SELECT hour, card::String AS card, argMax(raw_rows, version) AS seen FROM card_hour
           WHERE hour IN (SELECT hour FROM {page_key:Identifier}) GROUP BY hour, card) AS before
    ON before.hour = p.hour AND before.card = p.card
