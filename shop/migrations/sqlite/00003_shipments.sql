-- +goose Up

-- What one seller sends of a paid order. There is one per seller from the moment when the order is paid.
CREATE TABLE shipments (
    id          TEXT    NOT NULL PRIMARY KEY,
    order_id    TEXT    NOT NULL REFERENCES orders (id),
    buyer       TEXT    NOT NULL,
    seller      TEXT    NOT NULL,
    seller_name TEXT    NOT NULL,
    state       TEXT    NOT NULL, -- waiting, shipped, received or refunded
    amount      INTEGER NOT NULL CHECK (amount > 0), -- the seller's share of the order
    currency    TEXT    NOT NULL,
    refunded    INTEGER NOT NULL CHECK (refunded BETWEEN 0 AND amount), -- of it: granted to the buyer
    released    INTEGER NOT NULL CHECK (released BETWEEN 0 AND amount), -- of it: due to the seller since it was received
    requests    INTEGER NOT NULL, -- refunds that were asked for
    open_refund TEXT, -- the one that waits for an answer; nothing else happens meanwhile
    carrier     TEXT    NOT NULL,
    tracking    TEXT    NOT NULL,
    confirm_at  INTEGER, -- received by itself then
    shipped_at  INTEGER,
    received_at INTEGER,
    released_at INTEGER, -- pay has done it
    created_at  INTEGER NOT NULL
);
CREATE UNIQUE INDEX shipments_order_id_seller_key ON shipments (order_id, seller);
CREATE INDEX shipments_seller_state_order_id_idx ON shipments (seller, state, order_id);

CREATE TABLE shipment_events (
    shipment_id TEXT    NOT NULL REFERENCES shipments (id),
    state       TEXT    NOT NULL,
    actor       TEXT    NOT NULL, -- a user's id; empty when it happened by itself
    at          INTEGER NOT NULL,
    PRIMARY KEY (shipment_id, state)
);

CREATE TABLE refunds (
    id          TEXT    NOT NULL PRIMARY KEY,
    shipment_id TEXT    NOT NULL REFERENCES shipments (id),
    order_id    TEXT    NOT NULL REFERENCES orders (id),
    state       TEXT    NOT NULL, -- asked, granted, refused, appealed, denied or withdrawn
    amount      INTEGER NOT NULL CHECK (amount > 0),
    currency    TEXT    NOT NULL,
    reason      TEXT    NOT NULL, -- the buyer's words
    answer      TEXT    NOT NULL, -- the seller's
    decision    TEXT    NOT NULL, -- the operator's
    open_since  INTEGER NOT NULL, -- when it was asked for or taken to the operator
    paid_at     INTEGER, -- pay has done it
    created_at  INTEGER NOT NULL
);
CREATE INDEX refunds_order_id_idx ON refunds (order_id);
CREATE INDEX refunds_shipment_id_idx ON refunds (shipment_id);
CREATE INDEX refunds_state_id_idx ON refunds (state, id);

CREATE TABLE refund_events (
    refund_id TEXT    NOT NULL REFERENCES refunds (id),
    state     TEXT    NOT NULL,
    actor     TEXT    NOT NULL, -- a user's id; empty when it happened by itself
    at        INTEGER NOT NULL,
    PRIMARY KEY (refund_id, state)
);

-- Orders that were paid before there were shipments.
INSERT INTO shipments (id, order_id, buyer, seller, seller_name, state, amount, currency, refunded, released, requests, carrier, tracking, created_at)
SELECT 'shp_' || substr(o.id, 5) || '_' || MIN(l.position), o.id, o.buyer, l.seller, MIN(l.seller_name), 'waiting', SUM(l.price * l.quantity), o.currency, 0, 0, 0, '', '', e.at
FROM orders o JOIN order_lines l ON l.order_id = o.id JOIN order_events e ON e.order_id = o.id AND e.state = 'paid'
WHERE o.state = 'paid' GROUP BY o.id, o.buyer, l.seller, o.currency, e.at;
