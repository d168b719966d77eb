-- What each page of hours [{from}, {to}) says, as a hash; not when it was computed.
CREATE TABLE {digest:Identifier} ENGINE = Memory AS
SELECT hour, card::String AS card, cityHash64(* EXCEPT (version)) AS digest FROM card_hour FINAL WHERE hour >= {from:UInt32} AND hour < {to:UInt32}
