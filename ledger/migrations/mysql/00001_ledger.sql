-- +goose Up
CREATE TABLE accounts (
    id      VARBINARY(64) NOT NULL PRIMARY KEY,
    unit    VARBINARY(64) NOT NULL,
    kind    VARBINARY(8)  NOT NULL,
    floor   BIGINT        NOT NULL,
    posted  BIGINT        NOT NULL,
    held    BIGINT        NOT NULL,
    version BIGINT        NOT NULL,
    CHECK (kind = 'open' OR posted - held >= floor)
);

CREATE TABLE transfers (
    id            VARBINARY(96) NOT NULL PRIMARY KEY,
    kind          VARBINARY(8)  NOT NULL,
    debit         VARBINARY(64) NOT NULL,
    credit        VARBINARY(64) NOT NULL,
    unit          VARBINARY(64) NOT NULL,
    amount        BIGINT        NOT NULL CHECK (amount > 0),
    hold_id       VARBINARY(96),
    code          VARBINARY(32) NOT NULL,
    ref           VARBINARY(64) NOT NULL,
    at            BIGINT        NOT NULL,
    debit_seq     BIGINT,
    debit_posted  BIGINT,
    debit_held    BIGINT,
    credit_seq    BIGINT,
    credit_posted BIGINT,
    credit_held   BIGINT,
    UNIQUE KEY transfers_hold_id_key (hold_id),
    UNIQUE KEY transfers_debit_debit_seq_key (debit, debit_seq),
    UNIQUE KEY transfers_credit_credit_seq_key (credit, credit_seq),
    KEY transfers_ref_idx (ref)
);
