package pay

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/id"
	"jishi/kit/money"
	"jishi/ledger"
	"jishi/pay/payclient"
)

// WalletID is also the id of the wallet's account in the ledger.
type WalletID string

const (
	walletPrefix  = "wal"
	maxWalletName = 40 // characters
	// maxWallets is how many a user may have; a page shows them all.
	maxWallets = 50
)

// Wallet is money of a user.
type Wallet struct {
	ID        WalletID
	Number    string // for people, "9512 3456 7890 1235"
	Name      string // may be empty
	Default   bool   // it pays where no wallet is named
	Balance   money.Amount
	Available money.Amount // the balance without what is held
	CreatedAt time.Time
}

// NewWallet is a wallet to be made. TopUp, in minor units, is put into it at once.
type NewWallet struct {
	Name     string
	Currency money.Currency // "" is the market's
	TopUp    int64
}

type walletRow struct {
	bun.BaseModel `bun:"table:wallets,alias:w"`

	ID        WalletID          `bun:"id,pk"`
	UserID    authclient.UserID `bun:"user_id"`
	Number    string            `bun:"number"`
	Name      string            `bun:"name"`
	Currency  money.Currency    `bun:"currency"`
	DefaultOf authclient.UserID `bun:"default_of,nullzero"`
	CreatedAt database.Time     `bun:"created_at"`
}

// OpenWallet makes a wallet, the user's first one being the default, and tops it up if
// asked to. The same key and content again give the same wallet; where the
// top-up didn't come to its end the first time, it does then.
func (s *Service) OpenWallet(ctx context.Context, user authclient.UserID, in NewWallet, key string) (Wallet, error) {
	in.Name = strings.TrimSpace(in.Name)
	if in.Currency == "" {
		in.Currency = s.currency
	}
	wallet, topUp := WalletID(id.New(walletPrefix)), TopUpID("")
	if in.TopUp != 0 {
		topUp = TopUpID(id.New(topUpPrefix))
	}
	ids, err := s.once(ctx, wish{"open wallet", user, key, in}, string(wallet)+" "+string(topUp),
		func(ctx context.Context, tx bun.Tx) error {
			if err := s.checkNewWallet(in); err != nil { // as in TopUp
				return err
			}
			if err := s.insertWallet(ctx, tx, wallet, user, in); err != nil || topUp == "" {
				return err
			}
			return s.insertTopUp(ctx, tx, topUp, NewTopUp{Wallet: wallet, Amount: in.TopUp})
		})
	if err != nil {
		return Wallet{}, err
	}
	first, second, _ := strings.Cut(ids, " ")
	if second != "" {
		if _, err := s.collect(ctx, TopUpID(second)); err != nil {
			return Wallet{}, database.Afterwards(err)
		}
	}
	w, err := s.Wallet(ctx, user, WalletID(first))
	return w, database.Afterwards(err)
}

// checkNewWallet gives everything that is wrong at once.
func (s *Service) checkNewWallet(in NewWallet) error {
	var errs []error
	if !validName(in.Name) {
		errs = append(errs, payclient.ErrName)
	}
	if in.Currency != s.currency {
		errs = append(errs, payclient.ErrCurrency)
	}
	if in.TopUp != 0 {
		errs = append(errs, s.checkTopUp(in.TopUp))
	}
	return errors.Join(errs...)
}

func validName(name string) bool {
	return utf8.ValidString(name) && utf8.RuneCountInString(name) <= maxWalletName &&
		!strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsGraphic(r) })
}

func (s *Service) insertWallet(ctx context.Context, tx bun.Tx, wallet WalletID, user authclient.UserID, in NewWallet) error {
	others, err := lockWallets(ctx, tx, user)
	if err != nil {
		return err
	}
	return s.insertWalletBeside(ctx, tx, others, wallet, user, in)
}

// insertWalletBeside makes a wallet of a user who has others, or none.
func (s *Service) insertWalletBeside(ctx context.Context, tx bun.Tx, others []WalletID, wallet WalletID, user authclient.UserID, in NewWallet) error {
	// Two that are made at the same moment wait for each other (lockWallets), but for two first
	// ones, which find no row to lock: the unique default_of refuses one, which begins again.
	if len(others) >= maxWallets {
		return payclient.ErrTooMany
	}
	w := &walletRow{
		ID: wallet, UserID: user, Number: newNumber(), Name: in.Name, Currency: in.Currency, CreatedAt: database.At(s.now()),
	}
	if len(others) == 0 {
		w.DefaultOf = user
	}
	if _, err := tx.NewInsert().Model(w).Exec(ctx); err != nil {
		return fmt.Errorf("insert wallet %s: %w", wallet, err)
	}
	err := s.ledger.Open(ctx, tx, s.account(wallet))
	if err != nil {
		return fmt.Errorf("open account of wallet %s: %w", wallet, err)
	}
	return nil
}

// account is a wallet's in the ledger.
func (s *Service) account(w WalletID) ledger.Account {
	return ledger.Account{ID: ledger.AccountID(w), Unit: s.unit(), Kind: ledger.Guarded}
}

// lockWallets makes changes of a user's wallets wait for each other.
func lockWallets(ctx context.Context, tx bun.Tx, user authclient.UserID) ([]WalletID, error) {
	var ids []WalletID
	err := database.ForUpdate(tx.NewSelect().Model((*walletRow)(nil)).Column("id").
		Where("user_id = ?", user).Order("id")).Scan(ctx, &ids)
	if err != nil {
		return nil, fmt.Errorf("lock wallets of %s: %w", user, err)
	}
	return ids, nil
}

// WalletChange changes what is not nil. Default can't be taken away, only given to
// another wallet.
type WalletChange struct {
	Name    *string
	Default bool
}

// ChangeWallet renames a wallet of the user's or makes it the default one.
func (s *Service) ChangeWallet(ctx context.Context, user authclient.UserID, wallet WalletID, in WalletChange) (Wallet, error) {
	if in.Name != nil {
		name := strings.TrimSpace(*in.Name)
		if !validName(name) {
			return Wallet{}, payclient.ErrName
		}
		in.Name = &name
	}
	err := s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if _, err := lockWallets(ctx, tx, user); err != nil {
			return err
		}
		if in.Name != nil {
			if err := changeWallet(ctx, tx, user, wallet, "name = ?", *in.Name); err != nil {
				return err
			}
		}
		if !in.Default {
			return nil
		}
		_, err := tx.NewUpdate().Model((*walletRow)(nil)).Set("default_of = NULL").Where("default_of = ?", user).Exec(ctx)
		if err != nil {
			return fmt.Errorf("take the default flag of %s back: %w", user, err)
		}
		return changeWallet(ctx, tx, user, wallet, "default_of = ?", string(user))
	})
	if err != nil {
		return Wallet{}, err
	}
	w, err := s.Wallet(ctx, user, wallet)
	return w, database.Afterwards(err)
}

func changeWallet(ctx context.Context, tx bun.Tx, user authclient.UserID, wallet WalletID, set, value string) error {
	found, err := database.Changed(tx.NewUpdate().Model((*walletRow)(nil)).Set(set, value).
		Where("id = ?", wallet).Where("user_id = ?", user).Exec(ctx))
	if err != nil {
		return fmt.Errorf("change wallet %s: %w", wallet, err)
	}
	if !found {
		return payclient.ErrNotFound
	}
	return nil
}

// Wallet is one of the user's wallets, or ErrNotFound.
func (s *Service) Wallet(ctx context.Context, user authclient.UserID, wallet WalletID) (Wallet, error) {
	var rows []walletRow
	err := s.db.NewSelect().Model(&rows).Where("id = ?", wallet).Where("user_id = ?", user).Scan(ctx)
	if err != nil {
		return Wallet{}, fmt.Errorf("read wallet %s: %w", wallet, err)
	}
	if len(rows) == 0 {
		return Wallet{}, payclient.ErrNotFound
	}
	wallets, err := s.withBalances(ctx, rows)
	if err != nil {
		return Wallet{}, err
	}
	return wallets[0], nil
}

// Wallets is a page of the user's wallets, oldest first, and the cursor of the next.
func (s *Service) Wallets(ctx context.Context, user authclient.UserID, page database.Page) ([]Wallet, string, error) {
	q := s.db.NewSelect().Where("user_id = ?", user).Order("id").Limit(int64(page.Size()) + 1)
	var last WalletID
	further, err := page.After(&last)
	if err != nil {
		return nil, "", err
	}
	if further {
		q = q.Where("id > ?", last)
	}
	var rows []walletRow
	if err := q.Model(&rows).Scan(ctx); err != nil {
		return nil, "", fmt.Errorf("list wallets of %s: %w", user, err)
	}
	rows, more := database.Cut(rows, page)
	next := ""
	if more {
		next = database.Cursor(rows[len(rows)-1].ID)
	}
	wallets, err := s.withBalances(ctx, rows)
	return wallets, next, err
}

func (s *Service) withBalances(ctx context.Context, rows []walletRow) ([]Wallet, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	accounts := make([]ledger.AccountID, len(rows))
	for i, r := range rows {
		accounts[i] = ledger.AccountID(r.ID)
	}
	balances, err := s.ledger.Balances(ctx, accounts...)
	if err != nil {
		return nil, fmt.Errorf("read balances: %w", err)
	}
	wallets := make([]Wallet, len(rows))
	for i, r := range rows {
		b := balances[accounts[i]]
		wallets[i] = Wallet{
			ID: r.ID, Number: readable(r.Number), Name: r.Name, Default: r.DefaultOf != "",
			Balance: s.amount(b.Posted), Available: s.amount(b.Available), CreatedAt: r.CreatedAt.Time,
		}
	}
	return wallets, nil
}

// allWallets are the user's, oldest first: there are at most maxWallets.
func (s *Service) allWallets(ctx context.Context, user authclient.UserID) ([]Wallet, error) {
	wallets, _, err := s.Wallets(ctx, user, database.Page{Limit: maxWallets})
	return wallets, err
}

// Purse is all wallets of a user.
type Purse struct {
	Wallets []Wallet
	Total   money.Amount // of the balances
}

// Purse is what the user has.
func (s *Service) Purse(ctx context.Context, user authclient.UserID) (Purse, error) {
	wallets, err := s.allWallets(ctx, user)
	if err != nil {
		return Purse{}, err
	}
	p := Purse{Wallets: wallets, Total: s.amount(0)}
	for _, w := range wallets {
		if p.Total, err = p.Total.Add(w.Balance); err != nil {
			return Purse{}, fmt.Errorf("add up wallets of %s: %w", user, err)
		}
	}
	return p, nil
}
