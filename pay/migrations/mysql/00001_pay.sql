-- Amounts are minor units of the currency beside them, times microseconds UTC. A
-- wallet's balance is the ledger's: its account has the wallet's id.

-- +goose Up

CREATE TABLE wallets (
    id         VARBINARY(64) NOT NULL PRIMARY KEY,
    user_id    VARBINARY(64) NOT NULL,
    number     VARBINARY(16) NOT NULL, -- 16 digits, the last one by Luhn
    name       VARCHAR(40)   NOT NULL,
    currency   VARBINARY(3)  NOT NULL,
    default_of VARBINARY(64),          -- user_id in the user's default wallet, else NULL: unique, so there is one
    created_at BIGINT        NOT NULL,
    UNIQUE KEY wallets_number_key (number),
    UNIQUE KEY wallets_default_of_key (default_of),
    KEY wallets_user_id_id_idx (user_id, id)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE topups (
    id         VARBINARY(64) NOT NULL PRIMARY KEY,
    wallet_id  VARBINARY(64) NOT NULL,
    provider   VARBINARY(32) NOT NULL,
    reference  VARBINARY(128),         -- the provider's name of it, NULL until the money came
    amount     BIGINT        NOT NULL CHECK (amount > 0),
    currency   VARBINARY(3)  NOT NULL,
    state      VARBINARY(16) NOT NULL,
    created_at BIGINT        NOT NULL,
    UNIQUE KEY topups_provider_reference_key (provider, reference),
    KEY topups_wallet_id_id_idx (wallet_id, id),
    CONSTRAINT topups_wallet_id_fkey FOREIGN KEY (wallet_id) REFERENCES wallets (id)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE payments (
    id         VARBINARY(64) NOT NULL PRIMARY KEY,
    order_id   VARBINARY(64) NOT NULL,
    merchant   VARBINARY(64) NOT NULL,
    payer      VARBINARY(64) NOT NULL, -- empty where an order was closed before anybody asked
    state      VARBINARY(16) NOT NULL,
    wallet_id  VARBINARY(64),          -- that paid
    amount     BIGINT        NOT NULL CHECK (amount >= 0),
    currency   VARBINARY(3)  NOT NULL,
    expires_at BIGINT        NOT NULL,
    created_at BIGINT        NOT NULL,
    settled_at BIGINT,                 -- when it was captured or closed
    UNIQUE KEY payments_order_id_merchant_key (order_id, merchant)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;

CREATE TABLE payment_parties (
    payment_id VARBINARY(64) NOT NULL,
    payee      VARBINARY(64) NOT NULL,
    amount     BIGINT        NOT NULL CHECK (amount > 0),
    PRIMARY KEY (payment_id, payee),
    CONSTRAINT payment_parties_payment_id_fkey FOREIGN KEY (payment_id) REFERENCES payments (id)
) DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin;
