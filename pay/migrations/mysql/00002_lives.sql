-- What became of a payment and of each share of it, refunds and releases, and where
-- merchants want to hear of their payments.

-- +goose Up

-- Beside the state: what the payer agreed to, what was taken, what went back, and what
-- the payees have, the market's fee included.
ALTER TABLE payments
    ADD COLUMN hold       BOOLEAN NOT NULL DEFAULT 0, -- paying only authorises it
    ADD COLUMN authorized BIGINT  NOT NULL DEFAULT 0,
    ADD COLUMN captured   BIGINT  NOT NULL DEFAULT 0,
    ADD COLUMN refunded   BIGINT  NOT NULL DEFAULT 0,
    ADD COLUMN released   BIGINT  NOT NULL DEFAULT 0;
UPDATE payments SET authorized = amount, captured = amount WHERE state = 'captured';
ALTER TABLE payments ADD CONSTRAINT payments_counters CHECK (
    refunded >= 0 AND released >= 0 AND refunded + released <= captured AND captured <= authorized AND authorized <= amount
);

ALTER TABLE payment_parties
    ADD COLUMN captured BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN refunded BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN released BIGINT NOT NULL DEFAULT 0;
UPDATE payment_parties SET captured = amount WHERE payment_id IN (SELECT id FROM payments WHERE state = 'captured');
ALTER TABLE payment_parties ADD CONSTRAINT payment_parties_counters CHECK (
    refunded >= 0 AND released >= 0 AND refunded + released <= captured AND captured <= amount
);

-- An open payment has a job that ends it at its deadline.
INSERT INTO jobs (kind, `key`, payload, state, due_at, attempts, last_error, created_at)
SELECT 'pay.expire', id, '', 'waiting', expires_at, 0, '', created_at FROM payments WHERE state = 'open';

CREATE TABLE refunds (
    id         VARBINARY(64) NOT NULL PRIMARY KEY, -- of its transfer in the ledger
    payment_id VARBINARY(64) NOT NULL,
    reference  VARBINARY(64) NOT NULL,             -- the merchant's own id
    payee      VARBINARY(64) NOT NULL,             -- whose share it is of
    amount     BIGINT        NOT NULL CHECK (amount > 0),
    reason     VARCHAR(200)  NOT NULL,
    wallet_id  VARBINARY(64),                      -- of the payee, that gave it; NULL out of escrow
    created_at BIGINT        NOT NULL,
    UNIQUE KEY refunds_payment_id_reference_key (payment_id, reference),
    KEY refunds_payment_id_id_idx (payment_id, id),
    CONSTRAINT refunds_payment_id_fkey FOREIGN KEY (payment_id) REFERENCES payments (id)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE releases (
    id         VARBINARY(64) NOT NULL PRIMARY KEY, -- of its transfer in the ledger
    payment_id VARBINARY(64) NOT NULL,
    reference  VARBINARY(64) NOT NULL,             -- the merchant's own id
    payee      VARBINARY(64) NOT NULL,
    amount     BIGINT        NOT NULL CHECK (amount > 0),
    fee        BIGINT        NOT NULL,
    wallet_id  VARBINARY(64) NOT NULL,             -- of the payee, that got it
    created_at BIGINT        NOT NULL,
    UNIQUE KEY releases_payment_id_reference_key (payment_id, reference),
    KEY releases_payment_id_id_idx (payment_id, id),
    CONSTRAINT releases_payment_id_fkey FOREIGN KEY (payment_id) REFERENCES payments (id),
    CONSTRAINT releases_fee CHECK (fee >= 0 AND fee <= amount)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE webhooks (
    id             VARBINARY(64)  NOT NULL PRIMARY KEY,
    merchant       VARBINARY(64)  NOT NULL,
    url            VARBINARY(500) NOT NULL,
    secret         VARBINARY(200) NOT NULL, -- sealed
    previous       VARBINARY(200),          -- the secret before it, sealed
    previous_until BIGINT,                  -- both sign until then
    disabled_at    BIGINT,                  -- since its receiver said that it is gone
    created_at     BIGINT         NOT NULL,
    KEY webhooks_merchant_id_idx (merchant, id)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
