-- +goose Up

-- What the shop and pay did not agree on, of an order, when they were compared.
CREATE TABLE findings (
    id        VARBINARY(64) NOT NULL PRIMARY KEY,
    order_id  VARBINARY(64) NOT NULL, -- there may be none
    what      VARBINARY(32) NOT NULL,
    found     VARCHAR(1000) NOT NULL,
    state     VARBINARY(32) NOT NULL, -- open or mended
    since     BIGINT NOT NULL, -- when it was found first
    seen_at   BIGINT NOT NULL, -- and last
    mended_at BIGINT
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
CREATE UNIQUE INDEX findings_order_id_what_key ON findings (order_id, what);
CREATE INDEX findings_state_id_idx ON findings (state, id);

-- How far they have been compared, in each kind of pass.
CREATE TABLE reconciliations (
    name       VARBINARY(32) NOT NULL PRIMARY KEY,
    after_id   VARBINARY(64) NOT NULL, -- up to this order in the pass that is under way
    orders     BIGINT NOT NULL, -- compared in it
    started_at BIGINT NOT NULL,
    ended_at   BIGINT, -- of the last whole pass
    compared   BIGINT NOT NULL -- orders in that
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
