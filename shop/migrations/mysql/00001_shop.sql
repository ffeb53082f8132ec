-- Amounts are minor units of the currency beside them, times microseconds UTC. Titles
-- and descriptions are searched, so their collation does not tell a from A.

-- +goose Up

CREATE TABLE products (
    id          VARBINARY(64)  NOT NULL PRIMARY KEY,
    seller      VARBINARY(64)  NOT NULL,
    seller_name VARCHAR(200)   NOT NULL,
    title       VARCHAR(120)   CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL,
    description TEXT           CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL,
    image       VARCHAR(2000)  NOT NULL, -- name of a stored picture, or an address
    price       BIGINT         NOT NULL CHECK (price > 0),
    currency    VARBINARY(3)   NOT NULL,
    state       VARBINARY(16)  NOT NULL,
    version     BIGINT         NOT NULL, -- counts the seller's changes
    created_at  BIGINT         NOT NULL,
    KEY products_state_id_idx (state, id),
    KEY products_seller_state_id_idx (seller, state, id)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE cart_lines (
    buyer      VARBINARY(64) NOT NULL,
    product_id VARBINARY(64) NOT NULL,
    quantity   BIGINT        NOT NULL CHECK (quantity BETWEEN 0 AND 999),
    added_at   BIGINT        NOT NULL,
    PRIMARY KEY (buyer, product_id)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE orders (
    id          VARBINARY(64) NOT NULL PRIMARY KEY,
    buyer       VARBINARY(64) NOT NULL,
    buyer_name  VARCHAR(200)  NOT NULL,
    state       VARBINARY(16) NOT NULL,
    total       BIGINT        NOT NULL CHECK (total > 0),
    currency    VARBINARY(3)  NOT NULL,
    deadline_at BIGINT        NOT NULL, -- canceled then, unless it is paid
    created_at  BIGINT        NOT NULL,
    KEY orders_buyer_id_idx (buyer, id),
    KEY orders_state_deadline_at_idx (state, deadline_at)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE order_lines (
    order_id    VARBINARY(64)  NOT NULL,
    position    BIGINT         NOT NULL,
    product_id  VARBINARY(64)  NOT NULL,
    seller      VARBINARY(64)  NOT NULL,
    seller_name VARCHAR(200)   NOT NULL,
    title       VARCHAR(120)   NOT NULL,
    image       VARCHAR(2000)  NOT NULL,
    price       BIGINT         NOT NULL CHECK (price > 0),
    quantity    BIGINT         NOT NULL CHECK (quantity BETWEEN 1 AND 999),
    PRIMARY KEY (order_id, position),
    KEY order_lines_seller_order_id_idx (seller, order_id),
    CONSTRAINT order_lines_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders (id)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE order_events (
    order_id VARBINARY(64) NOT NULL,
    state    VARBINARY(16) NOT NULL,
    at       BIGINT        NOT NULL,
    PRIMARY KEY (order_id, state),
    CONSTRAINT order_events_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders (id)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
