package shop

import (
	"context"
	"fmt"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/fault"
	"jishi/shop/shopclient"
)

// FindingID is "fnd_…".
type FindingID string

// FindingState is whether a finding is still so.
type FindingState string

// The states of a finding.
const (
	OpenFinding FindingState = shopclient.FindingOpen   // somebody should look
	Mended      FindingState = shopclient.FindingMended // by itself, or since it was found
)

// Finding is something of an order that the shop and pay did not agree on, and its row.
type Finding struct {
	bun.BaseModel `bun:"table:findings"`

	ID       FindingID `bun:",pk"`
	OrderID  OrderID   // of which there may be none
	What     string    // one of shopclient's Found…
	Found    string    // in English, for whoever looks after the market
	State    FindingState
	Since    database.Time // when it was found first
	SeenAt   database.Time // and last
	MendedAt database.Time
}

// Reconciliation is how the shop was last compared with pay, and its row.
type Reconciliation struct {
	bun.BaseModel `bun:"table:reconciliations"`

	Name      string        `bun:",pk"`
	AfterID   OrderID       // up to this order in the pass that is under way
	Orders    int64         // compared in it
	StartedAt database.Time // and when it began
	EndedAt   database.Time // of the last whole pass
	Compared  int64         // orders in that
}

// underWay tells whether a pass has begun and not ended.
func (r Reconciliation) underWay() bool {
	return r.EndedAt.IsZero() || r.StartedAt.After(r.EndedAt.Time)
}

// Findings is a page of what the shop and pay did not agree on, newest first, and the cursor
// of the next one. With a state it is only those in it.
func (s *Service) Findings(ctx context.Context, operator authclient.UserID, state FindingState, page database.Page) ([]Finding, string, error) {
	if !s.Operates(operator) {
		return nil, "", fault.ErrForbidden
	}
	q := s.db.NewSelect()
	if state != "" {
		q.Where("state = ?", state)
	}
	all, next, err := database.Newest(ctx, q, page, "id", func(f Finding) FindingID { return f.ID })
	if err != nil {
		return nil, "", fmt.Errorf("list findings: %w", err)
	}
	return all, next, nil
}

// Reconciled is when the shop was last compared with pay, by kind of pass.
func (s *Service) Reconciled(ctx context.Context, operator authclient.UserID) ([]Reconciliation, error) {
	if !s.Operates(operator) {
		return nil, fault.ErrForbidden
	}
	var all []Reconciliation
	if err := s.db.NewSelect().Model(&all).Where("ended_at IS NOT NULL").Order("name").Scan(ctx); err != nil {
		return nil, fmt.Errorf("read reconciliations: %w", err)
	}
	return all, nil
}

// CountFindings is how many there are in each state.
func (s *Service) CountFindings(ctx context.Context) (map[FindingState]int64, error) {
	var rows []struct {
		State FindingState
		N     int64
	}
	err := s.db.NewSelect().Model((*Finding)(nil)).ColumnExpr("state, COUNT(*) AS n").GroupExpr("state").Scan(ctx, &rows)
	if err != nil {
		return nil, fmt.Errorf("count findings: %w", err)
	}
	n := map[FindingState]int64{OpenFinding: 0, Mended: 0}
	for _, r := range rows {
		n[r.State] = r.N
	}
	return n, nil
}

// keepFindings writes findings, over those of the same order and kind.
func keepFindings(ctx context.Context, tx bun.Tx, found []Finding) error {
	if len(found) == 0 {
		return nil
	}
	_, err := database.Upsert(database.Insert(tx, &found), []string{"order_id", "what"}, "found", "state", "seen_at", "mended_at").Exec(ctx)
	if err != nil {
		return fmt.Errorf("write %d findings: %w", len(found), err)
	}
	return nil
}
