-- +goose Up

-- What the buyer saw of one piece, minor units of the product's currency; 0 is not known.
ALTER TABLE cart_lines ADD COLUMN price INTEGER NOT NULL DEFAULT 0 CHECK (price >= 0);

-- What was uploaded, so that what no product ever showed can be deleted again.
CREATE TABLE pictures (
    name       TEXT    NOT NULL PRIMARY KEY,
    owner      TEXT    NOT NULL,
    state      TEXT    NOT NULL, -- new, used, or gone: its files are being deleted
    created_at INTEGER NOT NULL
);
CREATE INDEX pictures_owner_created_at_idx ON pictures (owner, created_at);
