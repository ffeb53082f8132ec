-- +goose Up
-- What was given for a refresh token: while that is unused, who lost it may ask again.
ALTER TABLE refresh_tokens ADD COLUMN successor BINARY(32);
