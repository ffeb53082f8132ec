-- +goose Up

-- Rows to lock while a buyer's orders are counted and placed.
CREATE TABLE buyers (
    id TEXT NOT NULL PRIMARY KEY
);

-- What is pending, of some buyers; few orders are.
DROP INDEX orders_state_deadline_at_idx;
CREATE INDEX orders_state_buyer_idx ON orders (state, buyer);
