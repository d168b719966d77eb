-- How many pages of a span were computed anew since an instant. Of a page that is replaced the newer version is enough.
SELECT count() AS pages FROM card_hour
WHERE hour >= intDiv({from:UInt32}, 4) AND hour <= intDiv({to:UInt32} - 1, 4)
  AND version >= fromUnixTimestamp64Milli({at_ms:Int64}, 'UTC')
