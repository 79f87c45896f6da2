-- One row a user: a key that comes twice doubles the revenue of every join on it.
SELECT user_id, count(*) AS occurrences
FROM dim_user
GROUP BY user_id
HAVING count(*) > 1 OR user_id IS NULL;
