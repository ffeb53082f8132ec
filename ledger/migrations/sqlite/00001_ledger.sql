-- +goose Up
CREATE TABLE accounts (
    id      TEXT    NOT NULL PRIMARY KEY,
    unit    TEXT    NOT NULL,
    kind    TEXT    NOT NULL,
    floor   INTEGER NOT NULL,
    posted  INTEGER NOT NULL,
    held    INTEGER NOT NULL,
    version INTEGER NOT NULL,
    CHECK (kind = 'open' OR posted - held >= floor)
) WITHOUT ROWID;

CREATE TABLE transfers (
    id            TEXT    NOT NULL PRIMARY KEY,
    kind          TEXT    NOT NULL,
    debit         TEXT    NOT NULL,
    credit        TEXT    NOT NULL,
    unit          TEXT    NOT NULL,
    amount        INTEGER NOT NULL CHECK (amount > 0),
    hold_id       TEXT,
    code          TEXT    NOT NULL,
    ref           TEXT    NOT NULL,
    at            INTEGER NOT NULL,
    debit_seq     INTEGER,
    debit_posted  INTEGER,
    debit_held    INTEGER,
    credit_seq    INTEGER,
    credit_posted INTEGER,
    credit_held   INTEGER
);
CREATE UNIQUE INDEX transfers_hold_id_key ON transfers (hold_id);
CREATE UNIQUE INDEX transfers_debit_debit_seq_key ON transfers (debit, debit_seq);
CREATE UNIQUE INDEX transfers_credit_credit_seq_key ON transfers (credit, credit_seq);
CREATE INDEX transfers_ref_idx ON transfers (ref);
