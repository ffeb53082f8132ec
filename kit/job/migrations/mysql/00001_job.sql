-- +goose Up
CREATE TABLE jobs (
    id           VARBINARY(64)  NOT NULL PRIMARY KEY,
    kind         VARBINARY(64)  NOT NULL,
    `key`        VARBINARY(191) NOT NULL,
    payload      MEDIUMBLOB     NOT NULL,
    state        VARBINARY(8)   NOT NULL,
    due_at       BIGINT         NOT NULL,
    attempts     BIGINT         NOT NULL,
    lease        VARBINARY(64)  NOT NULL,
    leased_until BIGINT         NOT NULL,
    last_error   VARBINARY(500) NOT NULL,
    UNIQUE KEY jobs_kind_key_key (kind, `key`),
    KEY jobs_state_due_at_idx (state, due_at)
);
