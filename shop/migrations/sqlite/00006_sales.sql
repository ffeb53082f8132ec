-- +goose Up

-- What a seller sold, newest first, is read from shipments; and what waits for an answer.
DROP INDEX order_lines_seller_order_id_idx;
CREATE INDEX shipments_seller_order_id_idx ON shipments (seller, order_id);
CREATE INDEX shipments_seller_open_refund_idx ON shipments (seller, open_refund);
