-- +goose Up
-- Identifiers, ids and hashes are binary: 'a' and 'A ' are not the same person.
CREATE TABLE users (
    id         VARBINARY(40)  NOT NULL PRIMARY KEY,
    identifier VARBINARY(320) NOT NULL,
    name       VARCHAR(64)    NOT NULL,
    password   VARBINARY(255) NOT NULL,
    created_at BIGINT         NOT NULL,
    UNIQUE KEY users_identifier_key (identifier)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE attempts (
    key_hash BINARY(32) NOT NULL,
    period   BIGINT     NOT NULL,
    attempts BIGINT     NOT NULL,
    PRIMARY KEY (key_hash, period),
    KEY attempts_period_idx (period)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE signing_keys (
    epoch      BIGINT         NOT NULL PRIMARY KEY,
    kid        VARBINARY(40)  NOT NULL,
    algorithm  VARBINARY(16)  NOT NULL,
    private    VARBINARY(1024) NOT NULL,
    public     VARBINARY(1024) NOT NULL,
    sign_from  BIGINT         NOT NULL,
    created_at BIGINT         NOT NULL
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE flows (
    id              VARBINARY(40)   NOT NULL PRIMARY KEY,
    browser         BINARY(32)      NOT NULL,
    client          VARBINARY(64)   NOT NULL,
    redirect        VARBINARY(1024) NOT NULL,
    state           VARBINARY(1024) NOT NULL,
    nonce           VARBINARY(256)  NOT NULL,
    challenge       VARBINARY(43)   NOT NULL,
    scopes          VARBINARY(256)  NOT NULL,
    resources       VARBINARY(256)  NOT NULL,
    after_at        BIGINT,
    expires_at      BIGINT          NOT NULL,
    code            BINARY(32),
    code_expires_at BIGINT,
    user_id         VARBINARY(40),
    sid             VARBINARY(64),
    auth_time       BIGINT,
    used_at         BIGINT,
    grant_id        VARBINARY(40),
    UNIQUE KEY flows_code_key (code),
    KEY flows_sid_idx (sid),
    KEY flows_expires_at_idx (expires_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE grants (
    id          VARBINARY(40)  NOT NULL PRIMARY KEY,
    user_id     VARBINARY(40)  NOT NULL,
    client      VARBINARY(64)  NOT NULL,
    sid         VARBINARY(64)  NOT NULL,
    scopes      VARBINARY(256) NOT NULL,
    resources   VARBINARY(256) NOT NULL,
    auth_time   BIGINT         NOT NULL,
    created_at  BIGINT         NOT NULL,
    expires_at  BIGINT         NOT NULL,
    revoked_at  BIGINT,
    KEY grants_sid_idx (sid),
    KEY grants_expires_at_idx (expires_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;

CREATE TABLE refresh_tokens (
    hash       BINARY(32)    NOT NULL PRIMARY KEY,
    grant_id   VARBINARY(40) NOT NULL,
    expires_at BIGINT        NOT NULL,
    used_at    BIGINT,
    KEY refresh_tokens_expires_at_idx (expires_at)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4 COLLATE = utf8mb4_bin;
