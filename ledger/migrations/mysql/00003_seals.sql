-- +goose Up
-- A batch is what one transaction wrote. Seal is null until it is part of the chain.
CREATE TABLE batches (
    id   BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    size BIGINT NOT NULL,
    at   BIGINT NOT NULL,
    seal BIGINT,
    KEY batches_seal_idx (seal)
);

CREATE TABLE seals (
    seq       BIGINT        NOT NULL PRIMARY KEY,
    transfers BIGINT        NOT NULL,
    digest    VARBINARY(32) NOT NULL,
    key_id    VARBINARY(16) NOT NULL,
    mac       VARBINARY(32) NOT NULL,
    at        BIGINT        NOT NULL
);

-- What is there already is the first batch. No default stays: a release that knows no
-- batches can't write beside one that seals them.
INSERT INTO batches (id, size, at) SELECT 1, COUNT(*), MAX(at) FROM transfers HAVING COUNT(*) > 0;
ALTER TABLE transfers ADD COLUMN batch BIGINT NOT NULL DEFAULT 1;
ALTER TABLE transfers ADD KEY transfers_batch_idx (batch); -- TiDB has no column yet in the statement that adds it
ALTER TABLE transfers ALTER COLUMN batch DROP DEFAULT;
