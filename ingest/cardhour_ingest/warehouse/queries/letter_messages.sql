-- The stored messages of some dead letters. Bytes as hex: they are not text.
SELECT letter, any(arrayMap(h -> (hex(h.1), hex(h.2)), headers)) AS headers, any(hex(body)) AS body
FROM dead_letter WHERE letter IN {letters:Array(UInt64)} GROUP BY letter
