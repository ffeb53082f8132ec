-- +goose Up
CREATE TABLE jobs (
    id           TEXT    NOT NULL PRIMARY KEY,
    kind         TEXT    NOT NULL,
    `key`        TEXT    NOT NULL,
    payload      BLOB    NOT NULL,
    state        TEXT    NOT NULL,
    due_at       INTEGER NOT NULL,
    attempts     INTEGER NOT NULL,
    lease        TEXT    NOT NULL,
    leased_until INTEGER NOT NULL,
    last_error   TEXT    NOT NULL
) WITHOUT ROWID;
CREATE UNIQUE INDEX jobs_kind_key_key ON jobs (kind, `key`);
CREATE INDEX jobs_state_due_at_idx ON jobs (state, due_at);
