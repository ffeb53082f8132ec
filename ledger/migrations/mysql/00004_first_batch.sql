-- +goose Up
-- Older replicas wrote on while the version before was being made, and what they wrote is in the
-- first batch, which didn't count it or, where nothing had been there, doesn't exist. A batch that
-- has less than it wrote is not what they can have made, and stays wrong.
INSERT INTO batches (id, size, at) SELECT 1, COUNT(*), MAX(at) FROM transfers
    WHERE batch = 1 AND NOT EXISTS (SELECT 1 FROM batches WHERE id = 1) HAVING COUNT(*) > 0;
UPDATE batches SET size = (SELECT COUNT(*) FROM transfers WHERE batch = 1)
    WHERE id = 1 AND size < (SELECT COUNT(*) FROM transfers WHERE batch = 1);
