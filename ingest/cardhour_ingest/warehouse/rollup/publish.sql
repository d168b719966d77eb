-- Pages that add up replace the ones before them, unless raw has expired since: a page seen with more rows is sealed.
INSERT INTO card_hour
SELECT hour, card, cluster, model, basis,
       arrayMap(o -> o.1, owners), arrayMap(o -> o.2, owners), arrayMap(o -> o.3, owners), arrayMap(o -> o.4, owners), arrayMap(o -> o.5, owners),
       arrayMap(o -> o.6, owners), arrayMap(o -> o.7, owners), arrayMap(o -> o.8, owners), arrayMap(o -> o.9, owners),
       arrayMap(w -> w.1, workloads), arrayMap(w -> w.2, workloads), arrayMap(w -> w.3, workloads), arrayMap(w -> w.4, workloads),
       arrayMap(w -> w.5, workloads), arrayMap(w -> w.6, workloads), arrayMap(w -> w.7, workloads), arrayMap(w -> w.8, workloads),
       arrayMap(w -> w.9, workloads), arrayMap(w -> w.10, workloads),
       idle_us, faulted_us, rounding_us,
       arrayMap(u -> u.1, unseen), arrayMap(u -> u.2, unseen), arrayMap(u -> u.3, unseen),
       raw_rows, {version:DateTime64(6)}
FROM {page:Identifier}
WHERE arrayAll(us -> us = 900000000, sums_us) AND workloads_agree
  AND (hour, card) NOT IN (SELECT hour, card FROM {sealed:Identifier})
