    SELECT hour, cluster, model, quarter, owner, held_us, billable_us, active_us, measured_us
    FROM usage_sum FINAL
    WHERE hour >= intDiv({{from:UInt32}}, 4) AND hour <= intDiv({{to:UInt32}} - 1, 4)
      AND hour * 4 + quarter >= {{from:UInt32}} AND hour * 4 + quarter < {{to:UInt32}} AND (hour, words) IN ({summed}){only}
    UNION ALL
