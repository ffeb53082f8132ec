package pay

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/money"
	"jishi/ledger"
)

// Statement is a part of a wallet's statement, newest first.
type Statement struct {
	Wallet  Wallet
	Entries []Entry
	Next    string // cursor of the next part, "" at the end
}

// Entry is one line of a statement.
type Entry struct {
	ID        string       // of the transfer
	Kind      string       // one of the codes of transfers, "topup"
	Amount    money.Amount // negative when the money went out; zero of a hold and a void
	Reserved  money.Amount // what a hold set aside, or a void gave back; zero of others
	Balance   money.Amount // of the wallet after it
	Held      money.Amount // in the wallet after it
	TopUp     TopUpID      // of a top-up
	Payment   PaymentID    // of everything else, as Order
	Order     string
	CreatedAt time.Time
}

// Statement is that of one of the user's wallets.
func (s *Service) Statement(ctx context.Context, user authclient.UserID, wallet WalletID, page database.Page) (Statement, error) {
	w, err := s.Wallet(ctx, user, wallet)
	if err != nil {
		return Statement{}, err
	}
	moves, next, err := s.ledger.Entries(ctx, ledger.AccountID(wallet), page)
	if err != nil {
		return Statement{}, fmt.Errorf("read statement of %s: %w", wallet, err)
	}
	entries, err := s.entriesOf(ctx, moves)
	if err != nil {
		return Statement{}, err
	}
	return Statement{Wallet: w, Next: next, Entries: entries}, nil
}

// entriesOf says what the ledger's entries were for.
func (s *Service) entriesOf(ctx context.Context, moves []ledger.Entry) ([]Entry, error) {
	orders, err := s.ordersOf(ctx, moves)
	if err != nil {
		return nil, err
	}
	entries := make([]Entry, len(moves))
	for i, m := range moves {
		e := Entry{
			ID: string(m.Transfer.ID), Kind: m.Transfer.Code, Amount: s.amount(m.Amount),
			Reserved: s.amount(0), Balance: s.amount(m.Posted), Held: s.amount(m.Held), CreatedAt: m.Transfer.At,
		}
		switch e.Kind {
		case codeTopUp:
			e.TopUp = TopUpID(m.Transfer.Ref)
		case codeHold, codeVoid:
			e.Reserved = s.amount(m.Transfer.Amount)
		}
		if e.TopUp == "" {
			e.Payment = PaymentID(m.Transfer.Ref)
			e.Order = orders[e.Payment]
		}
		entries[i] = e
	}
	return entries, nil
}

// ordersOf finds what the payments among the entries were for.
func (s *Service) ordersOf(ctx context.Context, moves []ledger.Entry) (map[PaymentID]string, error) {
	var ids []PaymentID
	for _, m := range moves {
		if m.Transfer.Code != codeTopUp {
			ids = append(ids, PaymentID(m.Transfer.Ref))
		}
	}
	orders := map[PaymentID]string{}
	if len(ids) == 0 {
		return orders, nil
	}
	var rows []paymentRow
	err := s.db.NewSelect().Model(&rows).Column("id", "order_id").Where("id IN (?)", bun.In(ids)).Scan(ctx)
	if err != nil {
		return nil, fmt.Errorf("read orders of payments: %w", err)
	}
	for _, r := range rows {
		orders[r.ID] = r.OrderID
	}
	return orders, nil
}
