package pay

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"jishi/kit/database"
	"jishi/kit/fault"
	"jishi/pay/payclient"
)

// Payments is a page of the payments of a merchant's own, by order: those of orders after
// one and up to another one, "" for no bound, and the cursor of the next page. They are as
// they stand: one whose time is over may be open still.
func (s *Service) Payments(ctx context.Context, caller Caller, in payclient.OrderRange, page database.Page) ([]Payment, string, error) {
	if caller.User != "" {
		return nil, "", fault.ErrForbidden
	}
	after := in.After
	if _, err := page.After(&after); err != nil {
		return nil, "", err
	}
	q := s.db.NewSelect().Where("merchant = ?", caller.Merchant).Where("order_id > ?", after)
	if in.UpTo != "" {
		q.Where("order_id <= ?", in.UpTo)
	}
	var rows []paymentRow
	if err := q.Model(&rows).Order("order_id").Limit(int64(page.Size()) + 1).Scan(ctx); err != nil {
		return nil, "", fmt.Errorf("list payments of %s: %w", caller.Merchant, err)
	}
	rows, more := database.Cut(rows, page)
	next := ""
	if more {
		next = database.Cursor(rows[len(rows)-1].OrderID)
	}
	all, err := s.withShares(ctx, rows)
	return all, next, err
}

func (s *Service) withShares(ctx context.Context, rows []paymentRow) ([]Payment, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	ids := make([]PaymentID, len(rows))
	for i, r := range rows {
		ids[i] = r.ID
	}
	var found []partyRow
	if err := s.db.NewSelect().Model(&found).Where("payment_id IN (?)", bun.In(ids)).Order("payment_id", "payee").Scan(ctx); err != nil {
		return nil, fmt.Errorf("read parties of %d payments: %w", len(rows), err)
	}
	shares := map[PaymentID][]Share{}
	for _, p := range found {
		shares[p.PaymentID] = append(shares[p.PaymentID], shareOf(p))
	}
	all := make([]Payment, len(rows))
	for i, r := range rows {
		all[i] = s.paymentOf(r, shares[r.ID])
	}
	return all, nil
}

func shareOf(p partyRow) Share {
	return Share{Party{p.Payee, p.Amount}, p.Captured, p.Refunded, p.Released}
}
