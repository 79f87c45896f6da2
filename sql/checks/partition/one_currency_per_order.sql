-- An order has one currency, or none on all of its rows: shares in two currencies sum to nothing.
SELECT dt, order_id, lowest_currency, highest_currency, lines - lines_with_currency AS lines_without_currency
FROM order_spread
WHERE lowest_currency <> highest_currency OR lines_with_currency NOT IN (0, lines);
