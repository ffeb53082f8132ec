-- +goose Up

-- Until when a seller has to answer, which the terms of today don't say of a request of yesterday.
ALTER TABLE refunds ADD COLUMN deadline_at INTEGER;
UPDATE refunds SET deadline_at = COALESCE((SELECT due_at FROM jobs WHERE kind = 'shop.answer' AND key = refunds.id), open_since) WHERE state = 'asked';
