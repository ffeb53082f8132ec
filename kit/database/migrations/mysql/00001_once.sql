-- +goose Up
CREATE TABLE once (
    scope     VARBINARY(128) NOT NULL,
    `key`     BINARY(32)     NOT NULL,
    body_hash VARBINARY(128) NOT NULL,
    result    VARBINARY(255) NOT NULL,
    at        BIGINT         NOT NULL,
    PRIMARY KEY (scope, `key`),
    INDEX once_at_idx (at)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
