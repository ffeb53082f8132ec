-- +goose Up

-- What the buyer saw of one piece, minor units of the product's currency; 0 is not known.
ALTER TABLE cart_lines ADD COLUMN price BIGINT NOT NULL DEFAULT 0 CHECK (price >= 0);

-- What was uploaded, so that what no product ever showed can be deleted again.
CREATE TABLE pictures (
    name       VARBINARY(64) NOT NULL PRIMARY KEY,
    owner      VARBINARY(64) NOT NULL,
    state      VARBINARY(16) NOT NULL, -- new, used, or gone: its files are being deleted
    created_at BIGINT        NOT NULL,
    KEY pictures_owner_created_at_idx (owner, created_at)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
