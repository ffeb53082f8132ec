-- +goose Up
CREATE TABLE once (
    scope     TEXT   NOT NULL,
    key       BLOB   NOT NULL,
    body_hash TEXT   NOT NULL,
    result    TEXT   NOT NULL,
    at        BIGINT NOT NULL,
    PRIMARY KEY (scope, key)
) WITHOUT ROWID;
CREATE INDEX once_at_idx ON once (at);
