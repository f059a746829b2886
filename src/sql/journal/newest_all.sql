-- The number of the newest entry of every partition that has one. Rows: partition, number.
SELECT partition, MAX(seq) FROM journal GROUP BY partition ORDER BY partition
