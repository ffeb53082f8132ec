-- +goose Up

-- The key's hash is that of its scope as well, so many can be looked up by one column. It
-- can't be computed here: what was done before this is not recognised when it comes again.
DROP TABLE once;
CREATE TABLE once (
    `key`     BINARY(32)     NOT NULL PRIMARY KEY,
    body_hash VARBINARY(128) NOT NULL,
    result    VARBINARY(255) NOT NULL,
    at        BIGINT         NOT NULL,
    INDEX once_at_idx (at)
);
