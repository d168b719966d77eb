-- Where every card's time went, over [from, to) in quarters from the epoch. Unwatched time that no page holds is not here.
SELECT sum(arraySum(arrayMap((us, q) -> if(hour * 4 + q >= {from:UInt32} AND hour * 4 + q < {to:UInt32}, us, 0), by_owner.billable_us, by_owner.quarter))) AS billable_us,
       sum(arraySum(arrayMap((us, q) -> if(hour * 4 + q >= {from:UInt32} AND hour * 4 + q < {to:UInt32}, us, 0), idle_us, [0, 1, 2, 3]))) AS idle_us,
       sum(arraySum(arrayMap((us, q) -> if(hour * 4 + q >= {from:UInt32} AND hour * 4 + q < {to:UInt32}, us, 0), faulted_us, [0, 1, 2, 3]))) AS faulted_us,
       sum(arraySum(arrayMap((us, q) -> if(hour * 4 + q >= {from:UInt32} AND hour * 4 + q < {to:UInt32}, us, 0), unobserved.unobserved_us, unobserved.quarter))) AS unobserved_us,
       sum(arraySum(arrayMap((us, q) -> if(hour * 4 + q >= {from:UInt32} AND hour * 4 + q < {to:UInt32}, us, 0), rounding_us, [0, 1, 2, 3]))) AS rounding_us,
       countDistinct(card) AS cards
FROM card_hour FINAL
WHERE hour >= intDiv({from:UInt32}, 4) AND hour <= intDiv({to:UInt32} - 1, 4)
