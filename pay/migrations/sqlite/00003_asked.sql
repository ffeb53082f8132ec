-- +goose Up

-- What was asked for, 0 for all that was left: the same id with another amount is refused. What
-- is there already has none.
ALTER TABLE refunds ADD COLUMN asked INTEGER;
ALTER TABLE releases ADD COLUMN asked INTEGER;
