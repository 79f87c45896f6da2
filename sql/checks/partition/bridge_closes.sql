-- From gross to net: amounts less refunds less cancelled orders are what the rows of all other orders have left.
SELECT currency, amount, refunded, cancelled, net AS net_of_rows, amount - refunded - cancelled AS net
FROM bridge
WHERE amount - refunded - cancelled <> net;
