-- +goose Up

-- Nobody looks transfers up by what they were for.
DROP INDEX transfers_ref_idx;
