-- +goose Up
CREATE TABLE users (
    id         TEXT    NOT NULL PRIMARY KEY,
    identifier TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    password   TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX users_identifier_key ON users (identifier);

CREATE TABLE attempts (
    key_hash BLOB    NOT NULL,
    period   INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    PRIMARY KEY (key_hash, period)
) STRICT;
CREATE INDEX attempts_period_idx ON attempts (period);

CREATE TABLE signing_keys (
    epoch      INTEGER NOT NULL PRIMARY KEY,
    kid        TEXT    NOT NULL,
    algorithm  TEXT    NOT NULL,
    private    TEXT    NOT NULL,
    public     TEXT    NOT NULL,
    sign_from  INTEGER NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE flows (
    id              TEXT    NOT NULL PRIMARY KEY,
    browser         BLOB    NOT NULL,
    client          TEXT    NOT NULL,
    redirect        TEXT    NOT NULL,
    state           TEXT    NOT NULL,
    nonce           TEXT    NOT NULL,
    challenge       TEXT    NOT NULL,
    scopes          TEXT    NOT NULL,
    resources       TEXT    NOT NULL,
    after_at        INTEGER,
    expires_at      INTEGER NOT NULL,
    code            BLOB,
    code_expires_at INTEGER,
    user_id         TEXT,
    sid             TEXT,
    auth_time       INTEGER,
    used_at         INTEGER,
    grant_id        TEXT
) STRICT;
CREATE UNIQUE INDEX flows_code_key ON flows (code);
CREATE INDEX flows_sid_idx ON flows (sid);
CREATE INDEX flows_expires_at_idx ON flows (expires_at);

CREATE TABLE grants (
    id          TEXT    NOT NULL PRIMARY KEY,
    user_id     TEXT    NOT NULL,
    client      TEXT    NOT NULL,
    sid         TEXT    NOT NULL,
    scopes      TEXT    NOT NULL,
    resources   TEXT    NOT NULL,
    auth_time   INTEGER NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    revoked_at  INTEGER
) STRICT;
CREATE INDEX grants_sid_idx ON grants (sid);
CREATE INDEX grants_expires_at_idx ON grants (expires_at);

CREATE TABLE refresh_tokens (
    hash       BLOB    NOT NULL PRIMARY KEY,
    grant_id   TEXT    NOT NULL,
    expires_at INTEGER NOT NULL,
    used_at    INTEGER
) STRICT;
CREATE INDEX refresh_tokens_expires_at_idx ON refresh_tokens (expires_at);
