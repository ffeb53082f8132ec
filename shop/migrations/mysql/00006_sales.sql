-- +goose Up

-- What a seller sold, newest first, is read from shipments; and what waits for an answer.
ALTER TABLE order_lines DROP INDEX order_lines_seller_order_id_idx;
ALTER TABLE shipments ADD INDEX shipments_seller_order_id_idx (seller, order_id), ADD INDEX shipments_seller_open_refund_idx (seller, open_refund);
