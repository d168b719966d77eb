-- Hours from {first} to {last} whose sums are those of their pages: they know every word that was said.
SELECT said.hour AS hour, said.words AS words
FROM (SELECT hour, toUInt32(uniqExact(writing, done)) AS words FROM page_write WHERE hour BETWEEN {first:UInt32} AND {last:UInt32} GROUP BY hour) AS said
INNER JOIN (SELECT DISTINCT hour, words FROM hour_summed WHERE hour BETWEEN {first:UInt32} AND {last:UInt32}) AS summed
    ON summed.hour = said.hour AND summed.words = said.words
ORDER BY hour DESC
LIMIT {limit:UInt32}
