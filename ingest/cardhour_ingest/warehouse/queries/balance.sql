-- Where every card's time went, over [from, to) in quarters from the epoch. Unwatched time that no page holds is not here.
-- Hours that are whole in the span are added up as they are; only its first and last hour may have to be taken apart, which costs
-- ten times as much a page.
SELECT sum(billable) AS billable_us, sum(idle) AS idle_us, sum(faulted) AS faulted_us, sum(unobserved) AS unobserved_us,
       sum(rounding) AS rounding_us, countDistinct(of_card) AS cards
FROM (
    SELECT card AS of_card, arraySum(by_owner.billable_us) AS billable, arraySum(idle_us) AS idle, arraySum(faulted_us) AS faulted,
           arraySum(unobserved.unobserved_us) AS unobserved, arraySum(rounding_us) AS rounding
    FROM card_hour FINAL
    WHERE hour >= intDiv({from:UInt32} + 3, 4) AND hour < intDiv({to:UInt32}, 4)
    UNION ALL
    SELECT card,
           arraySum(arrayMap((us, q) -> if(hour * 4 + q >= {from:UInt32} AND hour * 4 + q < {to:UInt32}, us, 0), by_owner.billable_us, by_owner.quarter)),
           arraySum(arrayMap((us, q) -> if(hour * 4 + q >= {from:UInt32} AND hour * 4 + q < {to:UInt32}, us, 0), idle_us, [0, 1, 2, 3])),
           arraySum(arrayMap((us, q) -> if(hour * 4 + q >= {from:UInt32} AND hour * 4 + q < {to:UInt32}, us, 0), faulted_us, [0, 1, 2, 3])),
           arraySum(arrayMap((us, q) -> if(hour * 4 + q >= {from:UInt32} AND hour * 4 + q < {to:UInt32}, us, 0), unobserved.unobserved_us, unobserved.quarter)),
           arraySum(arrayMap((us, q) -> if(hour * 4 + q >= {from:UInt32} AND hour * 4 + q < {to:UInt32}, us, 0), rounding_us, [0, 1, 2, 3]))
    FROM card_hour FINAL
    WHERE ({from:UInt32} % 4 > 0 AND hour = intDiv({from:UInt32}, 4))
       OR ({to:UInt32} % 4 > 0 AND hour = intDiv({to:UInt32}, 4))
)
