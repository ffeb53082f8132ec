-- +goose Up
-- A logout on all devices finds what a user has without the sessions that it came from.
CREATE INDEX flows_user_id_idx ON flows (user_id);
CREATE INDEX grants_user_id_revoked_at_idx ON grants (user_id, revoked_at);
