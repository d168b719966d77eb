SELECT uniqExact(hour, node) FROM (SELECT hour, node FROM dirty_hour GROUP BY hour, node, mark HAVING max(done) = 0)
