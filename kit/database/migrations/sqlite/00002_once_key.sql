-- +goose Up

-- The key's hash is that of its scope as well, so many can be looked up by one column. It
-- can't be computed here: what was done before this is not recognised when it comes again.
DROP TABLE once;
CREATE TABLE once (
    key       BLOB   NOT NULL PRIMARY KEY,
    body_hash TEXT   NOT NULL,
    result    TEXT   NOT NULL,
    at        BIGINT NOT NULL
) WITHOUT ROWID;
CREATE INDEX once_at_idx ON once (at);
