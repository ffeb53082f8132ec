-- +goose Up
CREATE TABLE sessions (
    id               TEXT   NOT NULL,
    user_id          TEXT   NOT NULL,
    sid              TEXT   NOT NULL,
    agent            TEXT   NOT NULL,
    data             BLOB   NOT NULL,
    version          BIGINT NOT NULL,
    refreshing_until BIGINT,
    created_at       BIGINT NOT NULL,
    seen_at          BIGINT NOT NULL,
    expires_at       BIGINT NOT NULL,
    PRIMARY KEY (id)
) WITHOUT ROWID;
CREATE INDEX sessions_user_id_seen_at_idx ON sessions (user_id, seen_at);
CREATE INDEX sessions_sid_idx ON sessions (sid);
CREATE INDEX sessions_seen_at_idx ON sessions (seen_at);
CREATE INDEX sessions_expires_at_idx ON sessions (expires_at);
