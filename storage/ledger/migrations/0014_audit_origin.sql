-- Where an audited action came from; null in rows that were written before, and in what the platform does by itself.

ALTER TABLE audit ADD COLUMN address VARCHAR;
ALTER TABLE audit ADD COLUMN agent VARCHAR;
ALTER TABLE audit ADD COLUMN request_id VARCHAR;
ALTER TABLE audit ADD COLUMN key_id VARCHAR;
