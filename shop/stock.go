package shop

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/uptrace/bun"

	"jishi/kit/fault"
	"jishi/ledger"
	"jishi/shop/shopclient"
)

// A product has three accounts in a unit of its own: what was supplied and what was sold
// are open, what can be sold is guarded and never goes below zero. An order holds pieces
// from stock to sold; paying posts the hold, canceling voids it.

func supplyOf(p ProductID) ledger.AccountID { return ledger.AccountID("supply:" + p) }
func stockOf(p ProductID) ledger.AccountID  { return ledger.AccountID("stock:" + p) }
func soldOf(p ProductID) ledger.AccountID   { return ledger.AccountID("sold:" + p) }

// supply opens the accounts of a new product and fills its stock.
func (s *Service) supply(ctx context.Context, tx bun.Tx, p ProductID, version, n int64) error {
	unit := ledger.Unit(p)
	err := s.ledger.Open(ctx, tx,
		ledger.Account{ID: supplyOf(p), Unit: unit, Kind: ledger.Open},
		ledger.Account{ID: stockOf(p), Unit: unit, Kind: ledger.Guarded},
		ledger.Account{ID: soldOf(p), Unit: unit, Kind: ledger.Open})
	if err != nil {
		return fmt.Errorf("open the accounts of product %s: %w", p, err)
	}
	return s.shift(ctx, tx, p, version, n)
}

// shift moves pieces into stock, or out of it when n is negative. A version of a product
// moves its stock at most once.
func (s *Service) shift(ctx context.Context, tx bun.Tx, p ProductID, version, n int64) error {
	if n == 0 {
		return nil
	}
	t := ledger.Transfer{
		ID:     ledger.TransferID(string(p) + ":" + strconv.FormatInt(version, 10)),
		Debit:  supplyOf(p),
		Credit: stockOf(p),
		Unit:   ledger.Unit(p),
		Amount: n,
		Kind:   ledger.Move,
		Code:   "supply",
		Ref:    string(p),
	}
	if n < 0 {
		t.Debit, t.Credit, t.Amount = t.Credit, t.Debit, -n
	}
	err := s.apply(ctx, tx, ledger.Group{t})
	if errors.Is(err, ledger.ErrInsufficient) {
		return shopclient.ErrStockTaken.With("available", fault.Of(err).Extra["available"])
	}
	return err
}

// apply writes one group of transfers in the caller's transaction.
func (s *Service) apply(ctx context.Context, tx bun.Tx, g ledger.Group) error {
	refusals, err := s.ledger.Apply(ctx, tx, g)
	if err != nil {
		return err
	}
	return refusals[0]
}

// stockOf is what can be bought now of each product.
func (s *Service) stockOf(ctx context.Context, ids ...ProductID) (map[ProductID]int64, error) {
	return stocks(ids, func(accounts []ledger.AccountID) (map[ledger.AccountID]ledger.Balance, error) {
		return s.ledger.Balances(ctx, accounts...)
	})
}

// stockIn is stockOf as a transaction sees it.
func (s *Service) stockIn(ctx context.Context, tx bun.Tx, ids []ProductID) (map[ProductID]int64, error) {
	return stocks(ids, func(accounts []ledger.AccountID) (map[ledger.AccountID]ledger.Balance, error) {
		return s.ledger.BalancesIn(ctx, tx, accounts...)
	})
}

func stocks(ids []ProductID, read func([]ledger.AccountID) (map[ledger.AccountID]ledger.Balance, error)) (map[ProductID]int64, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	accounts := make([]ledger.AccountID, len(ids))
	for i, p := range ids {
		accounts[i] = stockOf(p)
	}
	balances, err := read(accounts)
	if err != nil {
		return nil, fmt.Errorf("read stocks: %w", err)
	}
	stock := make(map[ProductID]int64, len(ids))
	for _, p := range ids {
		stock[p] = balances[stockOf(p)].Available
	}
	return stock, nil
}

// holdID names the hold of one line of an order; its end has the same name with a suffix,
// so that a hold has one end.
func holdID(o OrderID, position int64) ledger.TransferID {
	return ledger.TransferID(string(o) + ":" + strconv.FormatInt(position, 10))
}

// holdOf takes the pieces of all lines of an order out of stock, or of none.
func holdOf(o Order) ledger.Group {
	group := make(ledger.Group, len(o.Lines))
	for i, l := range o.Lines {
		group[i] = pieces(o, l, ledger.Hold)
		group[i].ID = holdID(o.ID, l.Position)
	}
	return group
}

// endOf ends the holds of an order: Post sells the pieces, Void gives them back.
func endOf(o Order, how ledger.Kind) ledger.Group {
	group := make(ledger.Group, len(o.Lines))
	for i, l := range o.Lines {
		group[i] = pieces(o, l, how)
		group[i].Hold = holdID(o.ID, l.Position)
		group[i].ID = group[i].Hold + ":end"
	}
	return group
}

// pieces is a transfer of those of one line.
func pieces(o Order, l OrderLine, kind ledger.Kind) ledger.Transfer {
	return ledger.Transfer{
		Kind:   kind,
		Debit:  stockOf(l.ProductID),
		Credit: soldOf(l.ProductID),
		Unit:   ledger.Unit(l.ProductID),
		Amount: l.Quantity,
		Code:   "order",
		Ref:    string(o.ID),
	}
}

// soldOut is the ledger's refusal of a hold, as buyers understand it.
func soldOut(o Order, refusal error) error {
	if !errors.Is(refusal, ledger.ErrInsufficient) {
		return refusal
	}
	short := fault.Of(refusal)
	for _, l := range o.Lines {
		if short.Extra["account"] == string(stockOf(l.ProductID)) {
			return shopclient.ErrSoldOut.
				With("product", string(l.ProductID)).
				With("title", l.Title).
				With("available", short.Extra["available"]).
				With("wanted", l.Quantity)
		}
	}
	return refusal
}
