-- Usage of one customer, row by row; usage_report.statement fills the gaps. ``claim`` is the number of the binding that decides, 0 where
-- none does; ``lease`` is 1 on a card that the customer leases by name, 2 on one that somebody else does, else 0.
SELECT {groups}, if(lease = 1, 'leased', 'usage') AS kind, sum(us) AS quantity_us,
       concat(toString(intDiv(quantity_us * 10 + 18, 36000000000)), '.',
              leftPad(toString(intDiv(quantity_us * 10 + 18, 36) % 1000000000), 9, '0')) AS card_hours
FROM (
    SELECT hour, card::String AS card, cluster::String AS cluster, model::String AS model, e_quarter AS quarter, e_node::String AS node,
           e_owner::String AS owner, e_billable_us AS us, hour * 4 + e_quarter AS at{workload},
           {claim} AS claim, {lease} AS lease
    FROM card_hour FINAL
    ARRAY JOIN {arrays}
    WHERE hour >= intDiv({{from:UInt32}}, 4) AND hour <= intDiv({{to:UInt32}} - 1, 4)
      AND hour * 4 + e_quarter >= {{from:UInt32}} AND hour * 4 + e_quarter < {{to:UInt32}} AND e_billable_us > 0{only}
) AS entry
{workload_names}WHERE (has({{mine:Array(UInt32)}}, claim) AND lease != 2) OR (claim = 0 AND lease = 1)
GROUP BY {names}, kind
ORDER BY {names}, kind
