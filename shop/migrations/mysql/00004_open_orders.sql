-- +goose Up

-- Rows to lock while a buyer's orders are counted and placed.
CREATE TABLE buyers (
    id VARBINARY(64) NOT NULL PRIMARY KEY
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- What is pending, of some buyers; few orders are.
ALTER TABLE orders DROP INDEX orders_state_deadline_at_idx, ADD INDEX orders_state_buyer_idx (state, buyer);
