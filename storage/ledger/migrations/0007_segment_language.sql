-- A recording in several languages has one for each segment.

ALTER TABLE segments ADD COLUMN language VARCHAR;
