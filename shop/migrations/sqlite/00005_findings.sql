-- +goose Up

-- What the shop and pay did not agree on, of an order, when they were compared.
CREATE TABLE findings (
    id        TEXT NOT NULL PRIMARY KEY,
    order_id  TEXT NOT NULL, -- there may be none
    what      TEXT NOT NULL,
    found     TEXT NOT NULL,
    state     TEXT NOT NULL, -- open or mended
    since     INTEGER NOT NULL, -- when it was found first
    seen_at   INTEGER NOT NULL, -- and last
    mended_at INTEGER
);
CREATE UNIQUE INDEX findings_order_id_what_key ON findings (order_id, what);
CREATE INDEX findings_state_id_idx ON findings (state, id);

-- How far they have been compared, in each kind of pass.
CREATE TABLE reconciliations (
    name       TEXT NOT NULL PRIMARY KEY,
    after_id   TEXT NOT NULL, -- up to this order in the pass that is under way
    orders     INTEGER NOT NULL, -- compared in it
    started_at INTEGER NOT NULL,
    ended_at   INTEGER, -- of the last whole pass
    compared   INTEGER NOT NULL -- orders in that
);
