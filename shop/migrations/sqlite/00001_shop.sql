-- Amounts are minor units of the currency beside them, times microseconds UTC.

-- +goose Up

CREATE TABLE products (
    id          TEXT    NOT NULL PRIMARY KEY,
    seller      TEXT    NOT NULL,
    seller_name TEXT    NOT NULL,
    title       TEXT    NOT NULL,
    description TEXT    NOT NULL,
    image       TEXT    NOT NULL, -- name of a stored picture, or an address
    price       INTEGER NOT NULL CHECK (price > 0),
    currency    TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    version     INTEGER NOT NULL, -- counts the seller's changes
    created_at  INTEGER NOT NULL
);
CREATE INDEX products_state_id_idx ON products (state, id);
CREATE INDEX products_seller_state_id_idx ON products (seller, state, id);

CREATE TABLE cart_lines (
    buyer      TEXT    NOT NULL,
    product_id TEXT    NOT NULL,
    quantity   INTEGER NOT NULL CHECK (quantity BETWEEN 0 AND 999),
    added_at   INTEGER NOT NULL,
    PRIMARY KEY (buyer, product_id)
);

CREATE TABLE orders (
    id          TEXT    NOT NULL PRIMARY KEY,
    buyer       TEXT    NOT NULL,
    buyer_name  TEXT    NOT NULL,
    state       TEXT    NOT NULL,
    total       INTEGER NOT NULL CHECK (total > 0),
    currency    TEXT    NOT NULL,
    deadline_at INTEGER NOT NULL, -- canceled then, unless it is paid
    created_at  INTEGER NOT NULL
);
CREATE INDEX orders_buyer_id_idx ON orders (buyer, id);
CREATE INDEX orders_state_deadline_at_idx ON orders (state, deadline_at);

CREATE TABLE order_lines (
    order_id    TEXT    NOT NULL REFERENCES orders (id),
    position    INTEGER NOT NULL,
    product_id  TEXT    NOT NULL,
    seller      TEXT    NOT NULL,
    seller_name TEXT    NOT NULL,
    title       TEXT    NOT NULL,
    image       TEXT    NOT NULL,
    price       INTEGER NOT NULL CHECK (price > 0),
    quantity    INTEGER NOT NULL CHECK (quantity BETWEEN 1 AND 999),
    PRIMARY KEY (order_id, position)
);
CREATE INDEX order_lines_seller_order_id_idx ON order_lines (seller, order_id);

CREATE TABLE order_events (
    order_id TEXT    NOT NULL REFERENCES orders (id),
    state    TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (order_id, state)
);
