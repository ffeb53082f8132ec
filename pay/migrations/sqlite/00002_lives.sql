-- What became of a payment and of each share of it, refunds and releases, and where
-- merchants want to hear of their payments.

-- +goose Up

-- Beside the state: what the payer agreed to, what was taken, what went back, and what
-- the payees have, the market's fee included.
ALTER TABLE payments ADD COLUMN hold INTEGER NOT NULL DEFAULT 0; -- paying only authorises it
ALTER TABLE payments ADD COLUMN authorized INTEGER NOT NULL DEFAULT 0;
ALTER TABLE payments ADD COLUMN captured INTEGER NOT NULL DEFAULT 0;
ALTER TABLE payments ADD COLUMN refunded INTEGER NOT NULL DEFAULT 0 CHECK (refunded >= 0);
ALTER TABLE payments ADD COLUMN released INTEGER NOT NULL DEFAULT 0 CHECK (
    released >= 0 AND refunded + released <= captured AND captured <= authorized AND authorized <= amount
);
UPDATE payments SET authorized = amount, captured = amount WHERE state = 'captured';

ALTER TABLE payment_parties ADD COLUMN captured INTEGER NOT NULL DEFAULT 0;
ALTER TABLE payment_parties ADD COLUMN refunded INTEGER NOT NULL DEFAULT 0 CHECK (refunded >= 0);
ALTER TABLE payment_parties ADD COLUMN released INTEGER NOT NULL DEFAULT 0 CHECK (
    released >= 0 AND refunded + released <= captured AND captured <= amount
);
UPDATE payment_parties SET captured = amount WHERE payment_id IN (SELECT id FROM payments WHERE state = 'captured');

-- An open payment has a job that ends it at its deadline.
INSERT INTO jobs (kind, key, payload, state, due_at, attempts, last_error, created_at)
SELECT 'pay.expire', id, x'', 'waiting', expires_at, 0, x'', created_at FROM payments WHERE state = 'open';

CREATE TABLE refunds (
    id         TEXT    NOT NULL PRIMARY KEY, -- of its transfer in the ledger
    payment_id TEXT    NOT NULL REFERENCES payments (id),
    reference  TEXT    NOT NULL,             -- the merchant's own id
    payee      TEXT    NOT NULL,             -- whose share it is of
    amount     INTEGER NOT NULL CHECK (amount > 0),
    reason     TEXT    NOT NULL,
    wallet_id  TEXT,                         -- of the payee, that gave it; NULL out of escrow
    created_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX refunds_payment_id_reference_key ON refunds (payment_id, reference);
CREATE INDEX refunds_payment_id_id_idx ON refunds (payment_id, id);

CREATE TABLE releases (
    id         TEXT    NOT NULL PRIMARY KEY, -- of its transfer in the ledger
    payment_id TEXT    NOT NULL REFERENCES payments (id),
    reference  TEXT    NOT NULL,             -- the merchant's own id
    payee      TEXT    NOT NULL,
    amount     INTEGER NOT NULL CHECK (amount > 0),
    fee        INTEGER NOT NULL CHECK (fee >= 0 AND fee <= amount),
    wallet_id  TEXT    NOT NULL,             -- of the payee, that got it
    created_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX releases_payment_id_reference_key ON releases (payment_id, reference);
CREATE INDEX releases_payment_id_id_idx ON releases (payment_id, id);

CREATE TABLE webhooks (
    id             TEXT    NOT NULL PRIMARY KEY,
    merchant       TEXT    NOT NULL,
    url            TEXT    NOT NULL,
    secret         TEXT    NOT NULL, -- sealed
    previous       TEXT,             -- the secret before it, sealed
    previous_until INTEGER,          -- both sign until then
    disabled_at    INTEGER,          -- since its receiver said that it is gone
    created_at     INTEGER NOT NULL
);
CREATE INDEX webhooks_merchant_id_idx ON webhooks (merchant, id);
