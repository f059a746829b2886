-- Purpose: appends entries, one row for each line. Sent for many rows at once.
-- $1 partition, $2 incarnation, $3 seq, $4 idx, $5 kind, $6 tenant, $7 time, $8 catalog_version, $9 reservation,
-- $10 request, $11 charge, $12 account, $13 meter, $14 item, $15 effective, $16 used, $17 held, $18 cost_exact, $19 service,
-- $20 discount, $21 quantities, $22 cost_original
-- Rows: none.
INSERT INTO entry ("partition", incarnation, seq, idx, kind, tenant, time, catalog_version, reservation, request,
                   charge, account, meter, item, effective, used, held, cost_exact, service, discount, quantities,
                   cost_original)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
