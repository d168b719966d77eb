-- Where the time of one card went: its pages of the hours that [{from}, {to}) lies in, with what each says of its four quarters. Of a
-- page that was replaced the newer one counts, as FINAL has it, which would merge all cards of those hours to find one.
SELECT hour, by_owner.quarter AS owned, by_owner.owner::Array(String) AS owners, by_owner.billable_us AS billable,
       idle_us, faulted_us, rounding_us,
       unobserved.quarter AS missed, unobserved.reason::Array(String) AS reasons, unobserved.unobserved_us AS unobserved
FROM card_hour
WHERE card = {card:String} AND hour >= intDiv({from:UInt32}, 4) AND hour <= intDiv({to:UInt32} - 1, 4)
ORDER BY hour, version DESC
LIMIT 1 BY hour
