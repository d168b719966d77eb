SELECT card, argMax(from_ms, version) AS from_ms, argMax(node, version) AS node FROM card_home GROUP BY card
