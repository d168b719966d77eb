-- Pages whose quarters do not add up are put aside, where they raise an alert and block the close.
INSERT INTO ledger_breach (hour, card, version, quarter, sum_us, page)
SELECT hour, card, {version:DateTime64(6)}, toUInt8(q), sums_us[q + 1], toJSONString((owners, workloads, idle_us, faulted_us, rounding_us, unseen))
FROM {page:Identifier} ARRAY JOIN range(4) AS q
WHERE sums_us[q + 1] != 900000000 OR NOT workloads_agree
