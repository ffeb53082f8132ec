-- +goose Up
CREATE TABLE jobs (
    kind       TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    payload    BLOB    NOT NULL,
    state      TEXT    NOT NULL,
    due_at     BIGINT  NOT NULL,
    lease      TEXT,
    attempts   INTEGER NOT NULL,
    last_error BLOB    NOT NULL,
    created_at BIGINT  NOT NULL,
    PRIMARY KEY (kind, key)
) WITHOUT ROWID;
CREATE INDEX jobs_state_due_at_idx ON jobs (state, due_at);
