-- How many pages of hours [{from}, {to}) there are, and how many are not what they were.
SELECT count() AS pages, countIf(was.digest != now.digest) AS changed
FROM (SELECT hour, card::String AS card, cityHash64(* EXCEPT (version)) AS digest FROM card_hour FINAL WHERE hour >= {from:UInt32} AND hour < {to:UInt32}) AS now
LEFT JOIN {digest:Identifier} AS was ON was.hour = now.hour AND was.card = now.card
