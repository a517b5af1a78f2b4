-- Objects of every kind that the documentation of mysqldump names, with odd names and odd data. A line of two semicolons ends a statement.
CREATE DATABASE zoo CHARACTER SET utf8mb4 COLLATE utf8mb4_da_0900_ai_ci
;;
CREATE DATABASE `zoo ``odd`` "db" 'ä' %s #$.-` CHARACTER SET latin1 COLLATE latin1_german2_ci
;;
CREATE DATABASE `zoo-empty` CHARACTER SET cp1250
;;
USE zoo
;;
CREATE TABLE parent (
	id INT UNSIGNED NOT NULL AUTO_INCREMENT COMMENT 'it''s a \\ comment\nof two lines; -- and /* more */',
	code VARCHAR(50) CHARACTER SET latin1 COLLATE latin1_bin NOT NULL DEFAULT 'a''b\\c;',
	kind ENUM('a,b', 'it''s', 'ü', '') NOT NULL DEFAULT 'it''s',
	flags SET('x', 'y''z', '"') DEFAULT 'x,"',
	big DECIMAL(65, 30) DEFAULT (1 / 3),
	doubled DECIMAL(65, 30) AS (big * 2) VIRTUAL COMMENT 'virtual',
	kept VARCHAR(101) AS (CONCAT(code, '-', kind)) STORED NOT NULL,
	bits BIT(64) DEFAULT b'1010',
	doc JSON DEFAULT (JSON_OBJECT('k', _utf8mb4'ü')),
	made TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6),
	hidden INT INVISIBLE DEFAULT 7,
	place POINT NOT NULL SRID 4326,
	words TEXT NOT NULL,
	`odd ``column`` "c" 'ö' %s` INT NULL,
	PRIMARY KEY (id, kind),
	UNIQUE KEY `odd key "k"` (code DESC, kind ASC) COMMENT 'of a key',
	KEY functional ((LOWER(code)), (ABS(hidden))) INVISIBLE,
	KEY prefix (words(10)) KEY_BLOCK_SIZE = 4,
	KEY multi ((CAST(doc->'$.list' AS UNSIGNED ARRAY))),
	SPATIAL KEY sp (place),
	FULLTEXT KEY ft (words) WITH PARSER ngram,
	CONSTRAINT `check 'it'` CHECK (code <> 'x''y'),
	CONSTRAINT lax CHECK (big < 10) NOT ENFORCED
) ENGINE = InnoDB AUTO_INCREMENT = 4711 ROW_FORMAT = COMPRESSED KEY_BLOCK_SIZE = 8 COMMENT = 'of a table; it''s' STATS_PERSISTENT = 1 STATS_AUTO_RECALC = 0 STATS_SAMPLE_PAGES = 11 MIN_ROWS = 5 MAX_ROWS = 1000000 AVG_ROW_LENGTH = 100 CHECKSUM = 1 DELAY_KEY_WRITE = 1
;;
CREATE TABLE child (
	id INT PRIMARY KEY, boss INT, parent INT UNSIGNED, kind ENUM('a,b', 'it''s', 'ü', ''),
	CONSTRAINT own FOREIGN KEY (boss) REFERENCES child (id) ON DELETE SET NULL ON UPDATE CASCADE,
	CONSTRAINT `to parent` FOREIGN KEY (parent, kind) REFERENCES parent (id, kind) ON DELETE CASCADE
) ROW_FORMAT = DYNAMIC COMPRESSION = 'zlib'
;;
CREATE TABLE `zoo ``odd`` "db" 'ä' %s #$.-`.`t ``t`` "t" 'ß' %d.;-` (`select` INT NOT NULL, `a b` TEXT, KEY (`a b`(5)), CONSTRAINT crosses FOREIGN KEY (`select`) REFERENCES zoo.child (id))
;;
CREATE TABLE keyless (v INT, w INT) ROW_FORMAT = REDUNDANT
;;
CREATE TABLE no_rows (v INT)
;;
CREATE TABLE ranged (at DATE NOT NULL, n INT NOT NULL, v TEXT, PRIMARY KEY (at, n))
PARTITION BY RANGE COLUMNS (at) SUBPARTITION BY HASH (n) SUBPARTITIONS 2 (
	PARTITION `old one` VALUES LESS THAN ('2000-01-01') COMMENT = 'it''s old', PARTITION later VALUES LESS THAN (MAXVALUE))
;;
CREATE TABLE listed (n INT, v INT) PARTITION BY LIST (n) (PARTITION p0 VALUES IN (1, NULL), PARTITION p1 VALUES IN (2, 3) MAX_ROWS = 10)
;;
CREATE TABLE keyed (n INT PRIMARY KEY) PARTITION BY LINEAR KEY ALGORITHM = 2 (n) PARTITIONS 3
;;
CREATE TABLE odd_data (
	id INT PRIMARY KEY, t LONGTEXT, l TEXT CHARACTER SET latin1, u TEXT CHARACTER SET utf16, b LONGBLOB, vb VARBINARY(300), fb BINARY(5), f FLOAT, d DOUBLE, n DECIMAL(65, 30), bi BIGINT UNSIGNED, z INT(5) ZEROFILL,
	ti TIME(6), y YEAR, dt DATETIME(6), ts TIMESTAMP NULL, da DATE, j JSON, g GEOMETRY, bit1 BIT(1), e ENUM('', 'a') CHARACTER SET ucs2, tiny TINYINT(1), c CHAR(5), ch CHAR(3) CHARACTER SET gb18030)
;;
SET SESSION sql_mode = 'NO_AUTO_VALUE_ON_ZERO'
;;
INSERT INTO odd_data VALUES
	(0, '\0\b\n\r\t\Z\\''"%_𝄞', 'ÿé', '𝄞', NULL, NULL, 'a', -0e0, 1.7976931348623157e308, -99999999999999999999999999999999999.999999999999999999999999999999, 18446744073709551615, 42,
	 '-838:59:59', 0, '0000-00-00 00:00:00', '1970-01-01 00:00:01', '2020-00-00', '{"a": 1, "ü": [null, 1e300, "\\u0000"], "": {}}', ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 -0.5),LINESTRING(0 0,1 1))'), b'1', '', 255 - 300, '  a ', '中'),
	(-2147483648, '', '', '', '', '', '', 3.4028234e38, 5e-324, 0.000000000000000000000000000001, 0, 0, '838:59:59', 2155, '9999-12-31 23:59:59.999999', NULL, '0000-00-00', 'null', ST_GeomFromText('POINT(1 2)', 4326), b'0', 'a', 1, '', '')
;;
INSERT INTO odd_data (id, t, b, vb) VALUES (3, REPEAT('𝄞é', 400000), REPEAT(UNHEX('00FF0A1A5C27'), 200000), UNHEX('00010203040506070809'))
;;
INSERT INTO odd_data (id) VALUES (4)
;;
SET SESSION sql_mode = 'STRICT_ALL_TABLES'
;;
INSERT INTO parent (code, kind, flags, doc, place, words) VALUES ('one', 'ü', 'y''z,"', '{"list": [1, 2, 3]}', ST_SRID(POINT(1, 2), 4326), 'some words'), ('two', '', NULL, NULL, ST_SRID(POINT(-90, -45), 4326), '')
;;
DELETE FROM parent WHERE code = 'two'
;;
INSERT INTO child SELECT 1, 1, id, kind FROM parent
;;
INSERT INTO child VALUES (2, 1, NULL, NULL)
;;
INSERT INTO `zoo ``odd`` "db" 'ä' %s #$.-`.`t ``t`` "t" 'ß' %d.;-` VALUES (1, 'ä;\'')
;;
INSERT INTO ranged VALUES ('1999-01-01', 1, 'old'), ('2024-02-29', 2, 'new')
;;
INSERT INTO listed VALUES (NULL, 1), (3, 2)
;;
INSERT INTO keyed VALUES (1), (2), (3), (4)
;;
INSERT INTO keyless VALUES (1, 1), (1, 1), (NULL, NULL)
;;
SET SESSION sql_generate_invisible_primary_key = ON
;;
CREATE TABLE given_key (v INT)
;;
INSERT INTO given_key VALUES (5), (6)
;;
SET SESSION sql_generate_invisible_primary_key = OFF
;;
CREATE ALGORITHM = MERGE DEFINER = 'zoo keeper'@'10.0.0.%' SQL SECURITY INVOKER VIEW merged AS SELECT id, code FROM parent WHERE id > 1 WITH LOCAL CHECK OPTION
;;
CREATE ALGORITHM = TEMPTABLE VIEW `temp ``view``` (`a "b"`, c) AS SELECT 'it''s', COUNT(*) FROM child
;;
CREATE VIEW a_of_z AS SELECT * FROM keyless
;;
CREATE VIEW z_of_a AS SELECT v + 1 AS v FROM a_of_z
;;
CREATE OR REPLACE VIEW a_of_z AS SELECT k.v FROM keyless k LEFT JOIN `zoo ``odd`` "db" 'ä' %s #$.-`.`t ``t`` "t" 'ß' %d.;-` o ON o.`select` = k.v
;;
CREATE VIEW `zoo ``odd`` "db" 'ä' %s #$.-`.across AS SELECT z.v, f.n FROM zoo.z_of_a z JOIN (SELECT 1 AS n) f
;;
CREATE FUNCTION plain(a INT, `odd ``arg``` VARCHAR(10) CHARACTER SET latin1) RETURNS VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_bin DETERMINISTIC NO SQL SQL SECURITY INVOKER COMMENT 'it''s; a function' RETURN CONCAT(a, ';', `odd ``arg```)
;;
CREATE VIEW of_function AS SELECT plain(1, 'x') AS p
;;
SET SESSION sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,NO_BACKSLASH_ESCAPES'
;;
CREATE DEFINER = "zoo keeper"@"10.0.0.%" PROCEDURE "odd ""proc""; 'p'" (IN a INT, INOUT b JSON, OUT c DECIMAL(10,3)) MODIFIES SQL DATA
BEGIN
	DECLARE done INT DEFAULT 0; -- a comment; it's
	DECLARE cur CURSOR FOR SELECT "v" FROM keyless;
	DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = 1;
	/* $$ // ;; */
	SET c = a; SET b = '"\"'; SELECT 'x' || 'y' || '\';
END
;;
SET SESSION sql_mode = 'STRICT_ALL_TABLES'
;;
CREATE TRIGGER `first "one"` BEFORE INSERT ON keyless FOR EACH ROW SET NEW.w = COALESCE(NEW.w, 0) + 1
;;
CREATE TRIGGER third BEFORE INSERT ON keyless FOR EACH ROW BEGIN SET NEW.w = NEW.w * 3; END
;;
CREATE DEFINER = 'zoo keeper'@'10.0.0.%' TRIGGER second BEFORE INSERT ON keyless FOR EACH ROW PRECEDES third BEGIN IF NEW.w > 5 THEN SET NEW.w = 5; END IF; END
;;
CREATE TRIGGER after_all AFTER UPDATE ON child FOR EACH ROW INSERT INTO listed VALUES (1, OLD.id)
;;
SET SESSION time_zone = '+05:45'
;;
CREATE EVENT `every "one"` ON SCHEDULE EVERY '1:30' HOUR_MINUTE STARTS '2030-01-01 00:00:00' ENDS '2037-01-01 00:00:00' ON COMPLETION PRESERVE ENABLE COMMENT 'it''s' DO DELETE FROM keyless WHERE v < 0
;;
CREATE DEFINER = 'zoo keeper'@'10.0.0.%' EVENT once ON SCHEDULE AT '2037-01-01 00:00:00' DISABLE DO BEGIN DECLARE i INT; SET i = 1; END
;;
SET SESSION time_zone = SYSTEM
;;
CREATE TABLE isam (i INT AUTO_INCREMENT, g INT, v VARCHAR(10), PRIMARY KEY (g, i), FULLTEXT (v)) ENGINE = MyISAM PACK_KEYS = 1 DELAY_KEY_WRITE = 1
;;
INSERT INTO isam (g, v) VALUES (1, 'a'), (1, 'b'), (2, 'c')
;;
CREATE TABLE isam2 (i INT) ENGINE = MyISAM
;;
CREATE TABLE isam3 (i INT) ENGINE = MyISAM
;;
INSERT INTO isam2 VALUES (1)
;;
INSERT INTO isam3 VALUES (2)
;;
CREATE TABLE united (i INT) ENGINE = MERGE UNION = (isam2, isam3) INSERT_METHOD = LAST
;;
CREATE TABLE separated (i INT NOT NULL, v TEXT NOT NULL) ENGINE = CSV
;;
INSERT INTO separated VALUES (1, 'a,"b"\\')
;;
CREATE TABLE archived (i INT, v TEXT) ENGINE = ARCHIVE
;;
INSERT INTO archived (v) VALUES ('kept')
;;
CREATE TABLE remembered (i INT, KEY USING HASH (i)) ENGINE = MEMORY MAX_ROWS = 100
;;
CREATE TABLE swallowed (i INT) ENGINE = BLACKHOLE
