-- Where the time of one card went, a row for each quarter in [{from}, {to}) that a page says something of.
SELECT hour * 4 + at AS quarter,
       arrayFilter((us, q) -> q = at, by_owner.billable_us, by_owner.quarter) AS billable,
       arrayMap(o -> o::String, arrayFilter((o, q) -> q = at, by_owner.owner, by_owner.quarter)) AS owners,
       idle_us[at + 1] AS idle_us, faulted_us[at + 1] AS faulted_us, rounding_us[at + 1] AS rounding_us,
       arrayFilter((us, q) -> q = at, unobserved.unobserved_us, unobserved.quarter) AS unobserved,
       arrayMap(r -> r::String, arrayFilter((r, q) -> q = at, unobserved.reason, unobserved.quarter)) AS reasons
FROM card_hour FINAL
ARRAY JOIN [0, 1, 2, 3]::Array(UInt32) AS at
WHERE card = {card:String} AND hour >= intDiv({from:UInt32}, 4) AND hour <= intDiv({to:UInt32} - 1, 4)
  AND quarter >= {from:UInt32} AND quarter < {to:UInt32}
ORDER BY quarter
