package pay

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/crash"
	"jishi/kit/database"
	"jishi/kit/fault"
	"jishi/ledger"
	"jishi/pay/payclient"
)

// charging is a payment that is asked for, from the wallet that is named, or "" for the
// payer's default one. Those that wait at the same time are written by one committer.
type charging struct {
	row     paymentRow
	parties []Party
	wallet  WalletID
}

// rows is how many shares it has.
func (c charging) rows() int { return max(1, len(c.parties)) }

// charged is the answer: the payment as it was written, captured or authorized, or beside a
// refusal of the ledger's open.
type charged struct {
	row    paymentRow
	err    error // ErrNoWallet and ErrInsufficient: the payment is open
	before bool  // the order had a payment already
	maybe  bool  // of this charge, whose commit had no answer
	again  bool  // it met another charge for its order in its batch, which left no payment
}

// chargeTries is how often a charge is sent that may have been written.
const chargeTries = 3

// charge has one written, together with those of others.
func (s *Service) charge(ctx context.Context, c charging) (charged, error) {
	unknown := 0
	for {
		got, err := s.charges.Do(ctx, c)
		switch {
		case errors.Is(err, database.ErrUnknown) && unknown+1 < chargeTries:
			unknown++ // whatever became of the commit: asking again finds the payment
		case err == nil && got.again:
		default:
			if got.maybe = unknown > 0; got.maybe {
				err = database.Afterwards(err)
			}
			return got, err
		}
	}
}

// chargeBatch is charges being written; each step goes on with what is left of them.
type chargeBatch struct {
	*Service
	tx   bun.Tx
	out  []charged
	left []*chargeOne
}

type chargeOne struct {
	charging
	i    int // in out
	from WalletID
}

// writeCharges is one transaction that pays for many orders. The unique key of merchant and
// order is the guard: where another replica was faster nothing of the batch has moved money.
func (s *Service) writeCharges(ctx context.Context, tx bun.Tx, batch []charging) ([]charged, error) {
	b := &chargeBatch{Service: s, tx: tx, out: make([]charged, len(batch))}
	firsts, met := map[string]int{}, map[int]int{} // in batch: of an order; of one that met it
	for i, c := range batch {
		order := c.row.Merchant + " " + c.row.OrderID
		if first, meets := firsts[order]; meets {
			met[i] = first
			continue
		}
		firsts[order] = i
		b.left = append(b.left, &chargeOne{charging: c, i: i})
	}
	for _, step := range []func(context.Context) error{b.lookUp, b.findWallets, b.take, b.write} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	for i, first := range met {
		b.out[i].before = b.out[first].before || b.out[first].row.ID != ""
		b.out[i].again = !b.out[i].before
	}
	return b.out, nil
}

// keep drops the charges that are answered.
func (b *chargeBatch) keep(goesOn func(*chargeOne) bool) {
	b.left = slices.DeleteFunc(b.left, func(c *chargeOne) bool { return !goesOn(c) })
}

// lookUp drops those whose order has a payment already.
func (b *chargeBatch) lookUp(ctx context.Context) error {
	orders := make([]string, len(b.left))
	for i, c := range b.left {
		orders[i] = c.row.OrderID
	}
	var rows []paymentRow
	err := b.tx.NewSelect().Model(&rows).Column("order_id", "merchant").Where("order_id IN (?)", bun.In(orders)).Scan(ctx)
	if err != nil {
		return fmt.Errorf("look up payments of %d orders: %w", len(orders), err)
	}
	known := make(map[[2]string]bool, len(rows))
	for _, r := range rows {
		known[[2]string{r.Merchant, r.OrderID}] = true
	}
	b.keep(func(c *chargeOne) bool {
		b.out[c.i].before = known[[2]string{c.row.Merchant, c.row.OrderID}]
		return !b.out[c.i].before
	})
	return nil
}

// findWallets finds those that pay, and drops what is asked for of somebody else's, or too late.
func (b *chargeBatch) findWallets(ctx context.Context) error {
	var payers []authclient.UserID
	var named []WalletID
	for _, c := range b.left {
		if c.wallet == "" {
			payers = append(payers, c.row.Payer)
		} else {
			named = append(named, c.wallet)
		}
	}
	ofPayer := map[authclient.UserID]WalletID{}
	owner := map[WalletID]authclient.UserID{}
	for _, by := range []struct {
		column string
		values any
		n      int
	}{{"default_of", bun.In(payers), len(payers)}, {"id", bun.In(named), len(named)}} {
		if by.n == 0 {
			continue
		}
		var rows []walletRow
		if err := b.tx.NewSelect().Model(&rows).Column("id", "user_id", "default_of").Where("? IN (?)", bun.Ident(by.column), by.values).Scan(ctx); err != nil {
			return fmt.Errorf("find wallets of %d payers: %w", by.n, err)
		}
		for _, r := range rows {
			ofPayer[authclient.UserID(r.DefaultOf)] = r.ID
			owner[r.ID] = r.UserID
		}
	}
	b.keep(func(c *chargeOne) bool {
		c.from = c.wallet
		switch {
		case c.wallet == "":
			c.from = ofPayer[c.row.Payer]
		case owner[c.wallet] != c.row.Payer:
			b.out[c.i].err = payclient.ErrNotFound
			return false
		}
		if !c.row.ExpiresAt.After(b.now()) {
			b.out[c.i].err = payclient.ErrExpiry
			return false
		}
		return true
	})
	return nil
}

// take moves or holds the money of those who have it; the payments of the others are open.
func (b *chargeBatch) take(ctx context.Context) error {
	var groups []ledger.Group
	var paying []*chargeOne
	for _, c := range b.left {
		if c.from == "" {
			c.row.State = payclient.Open
			b.out[c.i].err = b.shortage(payclient.ErrNoWallet, c.row, 0)
			continue
		}
		c.row.agreed(c.from, c.row.CreatedAt)
		groups = append(groups, ledger.Group{b.taking(c.row)})
		paying = append(paying, c)
	}
	refusals, err := b.ledger.Apply(ctx, b.tx, groups...)
	if err != nil {
		return err
	}
	for i, c := range paying {
		switch {
		case errors.Is(refusals[i], ledger.ErrInsufficient):
			available, _ := fault.Of(refusals[i]).Extra["available"].(int64)
			b.out[c.i].err = b.shortage(payclient.ErrInsufficient, c.row, available)
			c.row.open()
		case refusals[i] != nil: // nothing that a payer could bring about
			return fmt.Errorf("take payment %s: %w", c.row.ID, refusals[i])
		}
	}
	return nil
}

func (b *chargeBatch) write(ctx context.Context) error {
	var rows []paymentRow
	var parties []partyRow
	for _, c := range b.left {
		b.out[c.i].row = c.row
		rows = append(rows, c.row)
		parties = append(parties, rowsOf(c.row.ID, c.row.shares(c.parties))...)
	}
	crash.Point("pay.charge.written") // its money is moved
	return b.insertPayments(ctx, b.tx, rows, parties)
}
