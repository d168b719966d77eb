-- Usage in quarters [from, to) since the epoch; usage.DIMENSIONS and usage.usage_statement fill the gaps.
SELECT {groups},
       sum(held_us) AS held_us, sum(billable_us) AS billable_us,
       if(sum(measured_us) = 0, NULL, sum(active_us)) AS active_us
FROM (
{sums}    SELECT hour, {columns}
    FROM card_hour FINAL
    ARRAY JOIN {arrays}
    WHERE hour >= intDiv({{from:UInt32}}, 4) AND hour <= intDiv({{to:UInt32}} - 1, 4){others}
      AND hour * 4 + e_quarter >= {{from:UInt32}} AND hour * 4 + e_quarter < {{to:UInt32}}{only}
) AS entry
{workload_names}GROUP BY {names}
ORDER BY {names}
