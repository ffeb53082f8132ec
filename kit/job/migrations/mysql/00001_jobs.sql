-- +goose Up
CREATE TABLE jobs (
    kind       VARBINARY(64)   NOT NULL,
    `key`      VARBINARY(190)  NOT NULL,
    payload    BLOB            NOT NULL,
    state      VARBINARY(16)   NOT NULL,
    due_at     BIGINT          NOT NULL,
    lease      VARBINARY(32),
    attempts   INT             NOT NULL,
    last_error VARBINARY(1000) NOT NULL,
    created_at BIGINT          NOT NULL,
    PRIMARY KEY (kind, `key`),
    INDEX jobs_state_due_at_idx (state, due_at)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
