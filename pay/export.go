package pay

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"jishi/auth/authclient"
	"jishi/kit/money"
	"jishi/ledger"
)

// Export is a wallet's statement of a time, oldest first. What the entries moved adds up
// to what lies between the balances.
type Export struct {
	Wallet           Wallet
	Opening, Closing money.Amount
	Entries          iter.Seq2[[]Entry, error] // read some at a time, as they are asked for
}

// Export is the statement of one of the user's wallets from one time on and before
// another one; a zero time is no bound.
func (s *Service) Export(ctx context.Context, user authclient.UserID, wallet WalletID, from, to time.Time) (Export, error) {
	w, err := s.Wallet(ctx, user, wallet)
	if err != nil {
		return Export{}, err
	}
	p, err := s.ledger.Period(ctx, ledger.AccountID(wallet), from, to)
	if err != nil {
		return Export{}, fmt.Errorf("read statement of %s: %w", wallet, err)
	}
	return Export{Wallet: w, Opening: s.amount(p.Opening.Posted), Closing: s.amount(p.Closing.Posted), Entries: func(yield func([]Entry, error) bool) {
		for moves, err := range s.ledger.Each(ctx, p) {
			var entries []Entry
			if err == nil {
				entries, err = s.entriesOf(ctx, moves)
			}
			if !yield(entries, err) || err != nil {
				return
			}
		}
	}}, nil
}

// WriteCSV writes the statement as RFC 4180 says, between lines for the opening and the
// closing balance. What a hold reserves moves nothing: it is among what is held until the hold ends.
// Names, kinds and times are those of the REST API. Of cells that somebody
// else chose, those that a spreadsheet would take for a formula begin with an apostrophe.
func (e Export) WriteCSV(to io.Writer) error {
	w := csv.NewWriter(to)
	w.UseCRLF = true
	currency := string(e.Opening.Currency)
	lines := [][]string{
		{"created_at", "kind", "order", "amount", "balance", "reserved", "held", "currency", "id"},
		{"", "opening", "", "", e.Opening.String(), "", "", currency, ""},
	}
	if err := w.WriteAll(lines); err != nil {
		return err
	}
	for entries, err := range e.Entries {
		if err != nil {
			return err
		}
		for _, x := range entries {
			// An error stays, and is Flush's.
			_ = w.Write([]string{x.CreatedAt.UTC().Format(time.RFC3339), x.Kind, inert(x.Order), x.Amount.String(), x.Balance.String(), x.Reserved.String(), x.Held.String(), currency, x.ID})
		}
		w.Flush()
		if err := w.Error(); err != nil {
			return err
		}
	}
	_ = w.Write([]string{"", "closing", "", "", e.Closing.String(), "", "", currency, ""})
	w.Flush()
	return w.Error()
}

// inert keeps a spreadsheet from running what stands in a cell:
// https://owasp.org/www-community/attacks/CSV_Injection
func inert(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

// BalanceAt is what one of the user's wallets had at a past time, and what of it was
// available.
func (s *Service) BalanceAt(ctx context.Context, user authclient.UserID, wallet WalletID, at time.Time) (balance, available money.Amount, err error) {
	if _, err := s.Wallet(ctx, user, wallet); err != nil {
		return money.Amount{}, money.Amount{}, err
	}
	b, err := s.ledger.BalanceAt(ctx, ledger.AccountID(wallet), at)
	if err != nil {
		return money.Amount{}, money.Amount{}, fmt.Errorf("read balance of %s at %s: %w", wallet, at, err)
	}
	return s.amount(b.Posted), s.amount(b.Available), nil
}
