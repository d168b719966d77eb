-- Where the time of some cards went, hour by hour in [{from}, {to}): one row for each page.
SELECT card::String AS card, hour,
       arraySum(by_owner.billable_us) AS billable, arraySum(idle_us) AS idle, arraySum(faulted_us) AS faulted,
       arraySum(unobserved.unobserved_us) AS unwatched, arraySum(rounding_us) AS rounding
FROM card_hour FINAL
WHERE hour >= {from:UInt32} AND hour < {to:UInt32} AND card IN {cards:Array(String)}
ORDER BY card, hour
