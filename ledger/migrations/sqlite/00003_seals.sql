-- +goose Up
-- A batch is what one transaction wrote. Seal is null until it is part of the chain.
CREATE TABLE batches (
    id   INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    size INTEGER NOT NULL,
    at   INTEGER NOT NULL,
    seal INTEGER
);
CREATE INDEX batches_seal_idx ON batches (seal);

CREATE TABLE seals (
    seq       INTEGER NOT NULL PRIMARY KEY,
    transfers INTEGER NOT NULL,
    digest    BLOB    NOT NULL,
    key_id    TEXT    NOT NULL,
    mac       BLOB    NOT NULL,
    at        INTEGER NOT NULL
);

-- What is there already is the first batch.
INSERT INTO batches (id, size, at) SELECT 1, COUNT(*), MAX(at) FROM transfers HAVING COUNT(*) > 0;
ALTER TABLE transfers ADD COLUMN batch INTEGER NOT NULL DEFAULT 1;
CREATE INDEX transfers_batch_idx ON transfers (batch);
