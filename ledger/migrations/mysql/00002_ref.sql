-- +goose Up

-- Nobody looks transfers up by what they were for.
ALTER TABLE transfers DROP KEY transfers_ref_idx;
