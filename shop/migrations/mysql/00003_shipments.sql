-- +goose Up

-- What one seller sends of a paid order. There is one per seller from the moment when the order is paid.
CREATE TABLE shipments (
    id          VARBINARY(64) NOT NULL PRIMARY KEY,
    order_id    VARBINARY(64) NOT NULL,
    buyer       VARBINARY(64) NOT NULL,
    seller      VARBINARY(64) NOT NULL,
    seller_name VARCHAR(200)  NOT NULL,
    state       VARBINARY(16) NOT NULL, -- waiting, shipped, received or refunded
    amount      BIGINT        NOT NULL CHECK (amount > 0), -- the seller's share of the order
    currency    VARBINARY(3)  NOT NULL,
    refunded    BIGINT        NOT NULL, -- of it: granted to the buyer
    released    BIGINT        NOT NULL, -- of it: due to the seller since it was received
    requests    BIGINT        NOT NULL, -- refunds that were asked for
    open_refund VARBINARY(64), -- the one that waits for an answer; nothing else happens meanwhile
    carrier     VARCHAR(60)   NOT NULL,
    tracking    VARCHAR(60)   NOT NULL,
    confirm_at  BIGINT, -- received by itself then
    shipped_at  BIGINT,
    received_at BIGINT,
    released_at BIGINT, -- pay has done it
    created_at  BIGINT        NOT NULL,
    UNIQUE KEY shipments_order_id_seller_key (order_id, seller),
    KEY shipments_seller_state_order_id_idx (seller, state, order_id),
    CHECK (refunded BETWEEN 0 AND amount),
    CHECK (released BETWEEN 0 AND amount),
    CONSTRAINT shipments_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders (id)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE shipment_events (
    shipment_id VARBINARY(64) NOT NULL,
    state       VARBINARY(16) NOT NULL,
    actor       VARBINARY(64) NOT NULL, -- a user's id; empty when it happened by itself
    at          BIGINT        NOT NULL,
    PRIMARY KEY (shipment_id, state),
    CONSTRAINT shipment_events_shipment_id_fkey FOREIGN KEY (shipment_id) REFERENCES shipments (id)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE refunds (
    id          VARBINARY(64) NOT NULL PRIMARY KEY,
    shipment_id VARBINARY(64) NOT NULL,
    order_id    VARBINARY(64) NOT NULL,
    state       VARBINARY(16) NOT NULL, -- asked, granted, refused, appealed, denied or withdrawn
    amount      BIGINT        NOT NULL CHECK (amount > 0),
    currency    VARBINARY(3)  NOT NULL,
    reason      VARCHAR(200)  NOT NULL, -- the buyer's words
    answer      VARCHAR(200)  NOT NULL, -- the seller's
    decision    VARCHAR(200)  NOT NULL, -- the operator's
    open_since  BIGINT        NOT NULL, -- when it was asked for or taken to the operator
    paid_at     BIGINT, -- pay has done it
    created_at  BIGINT        NOT NULL,
    KEY refunds_order_id_idx (order_id),
    KEY refunds_shipment_id_idx (shipment_id),
    KEY refunds_state_id_idx (state, id),
    CONSTRAINT refunds_shipment_id_fkey FOREIGN KEY (shipment_id) REFERENCES shipments (id),
    CONSTRAINT refunds_order_id_fkey FOREIGN KEY (order_id) REFERENCES orders (id)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE refund_events (
    refund_id VARBINARY(64) NOT NULL,
    state     VARBINARY(16) NOT NULL,
    actor     VARBINARY(64) NOT NULL, -- a user's id; empty when it happened by itself
    at        BIGINT        NOT NULL,
    PRIMARY KEY (refund_id, state),
    CONSTRAINT refund_events_refund_id_fkey FOREIGN KEY (refund_id) REFERENCES refunds (id)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

-- Orders that were paid before there were shipments.
INSERT INTO shipments (id, order_id, buyer, seller, seller_name, state, amount, currency, refunded, released, requests, carrier, tracking, created_at)
SELECT CONCAT('shp_', SUBSTR(o.id, 5), '_', MIN(l.position)), o.id, o.buyer, l.seller, MIN(l.seller_name), 'waiting', SUM(l.price * l.quantity), o.currency, 0, 0, 0, '', '', e.at
FROM orders o JOIN order_lines l ON l.order_id = o.id JOIN order_events e ON e.order_id = o.id AND e.state = 'paid'
WHERE o.state = 'paid' GROUP BY o.id, o.buyer, l.seller, o.currency, e.at;
