-- +goose Up
CREATE TABLE sessions (
    id               VARBINARY(43)  NOT NULL,
    user_id          VARBINARY(64)  NOT NULL,
    sid              VARBINARY(128) NOT NULL,
    agent            VARBINARY(255) NOT NULL,
    data             BLOB           NOT NULL,
    version          BIGINT         NOT NULL,
    refreshing_until BIGINT,
    created_at       BIGINT         NOT NULL,
    seen_at          BIGINT         NOT NULL,
    expires_at       BIGINT         NOT NULL,
    PRIMARY KEY (id),
    INDEX sessions_user_id_seen_at_idx (user_id, seen_at),
    INDEX sessions_sid_idx (sid),
    INDEX sessions_seen_at_idx (seen_at),
    INDEX sessions_expires_at_idx (expires_at)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
