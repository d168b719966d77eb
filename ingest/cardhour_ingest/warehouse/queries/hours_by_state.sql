-- Where the time of all cards went, hour by hour in [{from}, {to}): the pages' terms, summed.
SELECT hour,
       sum(arraySum(by_owner.billable_us)) AS billable_us, sum(arraySum(idle_us)) AS idle_us,
       sum(arraySum(faulted_us)) AS faulted_us, sum(arraySum(unobserved.unobserved_us)) AS unobserved_us,
       sum(arraySum(rounding_us)) AS rounding_us
FROM card_hour FINAL
WHERE hour >= {from:UInt32} AND hour < {to:UInt32}
GROUP BY hour
ORDER BY hour
