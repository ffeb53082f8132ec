package payclient

import (
	"encoding/json"
	"errors"

	"jishi/kit/fault"
	"jishi/kit/money"
)

// What pay refuses.
var (
	// ErrInsufficient and ErrNoWallet leave the payment open: the same call, or the
	// cashier page, can pay it as soon as there is money. [ShortageOf] reads their members.
	ErrInsufficient = fault.New(fault.Unpaid, "pay.insufficient", "There is too little money in the wallet.")
	ErrNoWallet     = fault.New(fault.Unpaid, "pay.no_wallet", "You have no wallet yet.")

	ErrClosed    = fault.New(fault.Conflict, "pay.closed", "This payment was closed and can't be paid any more.")
	ErrExpired   = fault.New(fault.Conflict, "pay.expired", "The time to pay this is over.")
	ErrMismatch  = fault.New(fault.Conflict, "pay.mismatch", "This was asked for already, with other content.")
	ErrNoPayment = fault.New(fault.NotFound, "pay.no_payment", "There is no such payment.")

	ErrNotAuthorized = fault.New(fault.Conflict, "pay.not_authorized", "Nothing is held for this payment yet, so nothing can be captured.")
	ErrHeld          = fault.New(fault.Conflict, "pay.held", "You have agreed to this payment; only its merchant can give back what is held for it.")
	ErrNotCaptured   = fault.New(fault.Conflict, "pay.not_captured", "The money of this payment is not taken yet, or never will be.")
	// ErrTooMuch has the members payee and left: what there still is of the share.
	ErrTooMuch    = fault.New(fault.Conflict, "pay.too_much", "That is more than is left of this share.").On("amount")
	ErrNoParty    = fault.New(fault.NotFound, "pay.no_party", "The payment has no share for this payee.").On("payee")
	ErrPayeeShort = fault.New(fault.Conflict, "pay.payee_short", "The payee has too little money left for this refund.")
	ErrReference  = fault.New(fault.Invalid, "pay.reference", "An id has 1 to 64 visible ASCII characters.").On("id")
	ErrReason     = fault.New(fault.Invalid, "pay.reason", "A reason has at most 200 characters, none of them invisible.").On("reason")
	ErrAmount     = fault.New(fault.Invalid, "pay.amount", "An amount is more than zero.").On("amount")

	ErrWebhookURL      = fault.New(fault.Invalid, "pay.webhook_url", "This can't be the address of a webhook.").On("url")
	ErrNoWebhook       = fault.New(fault.NotFound, "pay.no_webhook", "There is no such webhook.")
	ErrTooManyWebhooks = fault.New(fault.Conflict, "pay.too_many_webhooks", "There are as many webhooks as a merchant can have.")

	ErrNotFound   = fault.New(fault.NotFound, "pay.wallet_not_found", "You have no such wallet.").On("wallet")
	ErrName       = fault.New(fault.Invalid, "pay.wallet_name", "A wallet's name has at most 40 characters, none of them invisible.").On("name")
	ErrDay        = fault.New(fault.Invalid, "pay.day", "A day is written as 2026-01-31.")
	ErrTooMany    = fault.New(fault.Conflict, "pay.too_many_wallets", "You have as many wallets as one can have.")
	ErrCurrency   = fault.New(fault.Invalid, "pay.currency", "This currency is not offered.").On("currency")
	ErrTopUpRange = fault.New(fault.Invalid, "pay.topup_range", "This amount is outside of what can be topped up at once.").On("amount") // min, max
	ErrNoTopUp    = fault.New(fault.NotFound, "pay.no_topup", "You have no such top-up.")
	ErrTopUpsOff  = fault.New(fault.Forbidden, "pay.topups_off", "Wallets can't be topped up at the moment.")
	ErrOrder      = fault.New(fault.Invalid, "pay.order", "An order's id has 1 to 64 visible ASCII characters.").On("order")
	ErrParties    = fault.New(fault.Invalid, "pay.parties", "A payment has 1 to 100 parties, each of them once and with an amount above zero.").On("parties")
	ErrExpiry     = fault.New(fault.Invalid, "pay.expiry", "A new payment must end in the future, and within 30 days.").On("expires_at")
)

// Shortage is what ErrInsufficient and ErrNoWallet say of a payment that waits for money.
type Shortage struct {
	Payment     string       `json:"payment"`
	CheckoutURL string       `json:"checkout_url"`
	Available   money.Amount `json:"available"` // in the wallet that was asked; zero where there is none
	Missing     money.Amount `json:"missing"`
}

// ShortageOf reads the shortage in err, on either side of the wire; false when err
// is about something else.
func ShortageOf(err error) (Shortage, bool) {
	if !errors.Is(err, ErrInsufficient) && !errors.Is(err, ErrNoWallet) {
		return Shortage{}, false
	}
	var s Shortage
	b, err := json.Marshal(fault.Of(err).Extra)
	if err != nil {
		return Shortage{}, false
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return Shortage{}, false
	}
	return s, true
}
