SELECT uniqExact(hour, node) FROM {work:Identifier}
