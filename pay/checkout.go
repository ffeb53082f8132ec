package pay

import (
	"context"

	"jishi/auth/authclient"
	"jishi/kit/money"
	"jishi/pay/payclient"
)

// Checkout is what the cashier shows: a payment, and what it can be paid from.
type Checkout struct {
	Payment Payment
	Choices []Choice
	Enough  bool         // one of the wallets suffices
	Missing money.Amount // in the wallet that has most; zero where one suffices
	Fullest WalletID     // the wallet that has most, the default one of equals; "" without wallets
	TopUps  TopUpRules
}

// Choice is a wallet at the cashier.
type Choice struct {
	Wallet
	Enough bool
	Chosen bool // the default wallet if it suffices, or else the fullest that does
}

// Checkout is an own payment at the cashier. One that can't be paid any more has no choices.
func (s *Service) Checkout(ctx context.Context, user authclient.UserID, payment PaymentID) (Checkout, error) {
	p, err := s.Payment(ctx, Caller{User: user}, payment)
	if err != nil {
		return Checkout{}, err
	}
	c := Checkout{Payment: p, Missing: s.amount(0), TopUps: s.TopUpRules()}
	if p.State != payclient.Open {
		return c, nil
	}
	wallets, err := s.allWallets(ctx, user)
	if err != nil {
		return Checkout{}, err
	}
	fullest, chosen := -1, -1
	for i, w := range wallets {
		enough := w.Available.Minor >= p.Amount.Minor
		c.Choices = append(c.Choices, Choice{Wallet: w, Enough: enough})
		c.Enough = c.Enough || enough
		if fullest < 0 || better(w, wallets[fullest]) {
			fullest = i
		}
		if enough && w.Default {
			chosen = i
		}
	}
	c.Missing = p.Amount
	if fullest >= 0 {
		c.Fullest = wallets[fullest].ID
		c.Missing = s.amount(max(p.Amount.Minor-wallets[fullest].Available.Minor, 0))
	}
	if c.Enough {
		if chosen < 0 {
			chosen = fullest
		}
		c.Choices[chosen].Chosen = true
	}
	return c, nil
}

func better(a, b Wallet) bool {
	if a.Available.Minor != b.Available.Minor {
		return a.Available.Minor > b.Available.Minor
	}
	return a.Default
}
