-- A database of 100 MB in memory: filled, asked, changed, shrunk, written out.
PRAGMA temp_store = MEMORY;
CREATE TABLE item(id INTEGER PRIMARY KEY, name TEXT, owner INTEGER, price REAL, note TEXT);
CREATE TABLE owner(id INTEGER PRIMARY KEY, name TEXT UNIQUE);

WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 5000)
INSERT INTO owner SELECT n, 'owner ' || (n * 7919 % 5003) FROM number;

WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < coalesce(:items, 700000))
INSERT INTO item
SELECT n, 'item ' || (n * 7919 % 700001), 1 + n * 31 % 5000, (n * 37 % 10000) / 100.0, printf('%0*d', 20 + n % 160, n)
FROM number;

CREATE INDEX item_by_name ON item(name);
CREATE INDEX item_by_owner ON item(owner, price);
SELECT 'pages in MB', page_count * page_size / 1000000 FROM pragma_page_count, pragma_page_size;

SELECT 'groups', count(*), sum(c), max(p) FROM (SELECT owner, count(*) AS c, round(sum(price), 2) AS p FROM item GROUP BY owner);
SELECT o.name, count(*), round(avg(i.price), 4) FROM owner o JOIN item i ON i.owner = o.id
WHERE i.name LIKE 'item 12%' GROUP BY o.id ORDER BY 2 DESC, 1 LIMIT 10;
SELECT name, price, rank() OVER (PARTITION BY owner ORDER BY price DESC, id) AS r FROM item
WHERE owner < 4 ORDER BY owner, r LIMIT 20;
SELECT 'notes', count(DISTINCT length(note)), sum(length(group_note))
FROM (SELECT group_concat(note) AS group_note, note FROM item WHERE id % 10 = 0 GROUP BY owner % 100);
SELECT 'json', sum(length(j)) FROM (SELECT json_group_array(json_object('n', name, 'p', price)) AS j FROM item WHERE id % 7 = 0 GROUP BY owner);
SELECT 'sorted', name FROM item ORDER BY substr(note, -3), name DESC LIMIT 5;

UPDATE item SET note = note || name WHERE id % 5 = 0;
DELETE FROM item WHERE id % 3 = 0;
BEGIN;
DELETE FROM item WHERE owner % 2 = 0;
ROLLBACK;
SELECT 'left', count(*), sum(length(note)) FROM item;
VACUUM INTO 'copy.db';
ATTACH 'copy.db' AS copy;
SELECT 'different', count(*) FROM (SELECT * FROM main.item EXCEPT SELECT * FROM copy.item);
PRAGMA copy.integrity_check;
