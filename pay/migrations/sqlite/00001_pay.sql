-- Amounts are minor units of the currency beside them, times microseconds UTC. A
-- wallet's balance is the ledger's: its account has the wallet's id.

-- +goose Up

CREATE TABLE wallets (
    id         TEXT    NOT NULL PRIMARY KEY,
    user_id    TEXT    NOT NULL,
    number     TEXT    NOT NULL, -- 16 digits, the last one by Luhn
    name       TEXT    NOT NULL,
    currency   TEXT    NOT NULL,
    default_of TEXT,             -- user_id in the user's default wallet, else NULL: unique, so there is one
    created_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX wallets_number_key ON wallets (number);
CREATE UNIQUE INDEX wallets_default_of_key ON wallets (default_of);
CREATE INDEX wallets_user_id_id_idx ON wallets (user_id, id);

CREATE TABLE topups (
    id         TEXT    NOT NULL PRIMARY KEY,
    wallet_id  TEXT    NOT NULL REFERENCES wallets (id),
    provider   TEXT    NOT NULL,
    reference  TEXT,             -- the provider's name of it, NULL until the money came
    amount     INTEGER NOT NULL CHECK (amount > 0),
    currency   TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    created_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX topups_provider_reference_key ON topups (provider, reference);
CREATE INDEX topups_wallet_id_id_idx ON topups (wallet_id, id);

CREATE TABLE payments (
    id         TEXT    NOT NULL PRIMARY KEY,
    order_id   TEXT    NOT NULL,
    merchant   TEXT    NOT NULL,
    payer      TEXT    NOT NULL, -- empty where an order was closed before anybody asked
    state      TEXT    NOT NULL,
    wallet_id  TEXT,             -- that paid
    amount     INTEGER NOT NULL CHECK (amount >= 0),
    currency   TEXT    NOT NULL,
    expires_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    settled_at INTEGER           -- when it was captured or closed
);
CREATE UNIQUE INDEX payments_order_id_merchant_key ON payments (order_id, merchant);

CREATE TABLE payment_parties (
    payment_id TEXT    NOT NULL REFERENCES payments (id),
    payee      TEXT    NOT NULL,
    amount     INTEGER NOT NULL CHECK (amount > 0),
    PRIMARY KEY (payment_id, payee)
);
