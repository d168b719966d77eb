SELECT count() AS pages,
       countIf(NOT (arrayAll(us -> us = 900000000, sums_us) AND workloads_agree)) AS breached,
       (SELECT count() FROM {sealed:Identifier}) AS sealed
FROM {page:Identifier}
