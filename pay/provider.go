package pay

import (
	"context"

	"jishi/kit/money"
)

// Provider gets money from the world outside: a bank, a payment service.
type Provider interface {
	// Name is stored with every top-up and never changes.
	Name() string
	// Play tells whether its money is not real; pages say so.
	Play() bool
	// Collect asks for the money of a top-up. It is called again after a crash, so the
	// provider recognises the top-up's id and takes the money once. A zero Receipt means
	// that the money is on its way: Service.Confirm is called when it came.
	Collect(ctx context.Context, t TopUp) (Receipt, error)
}

// Receipt says that money came. The provider's reference is unique, so that the same
// news twice is credited once.
type Receipt struct {
	Reference string
	Amount    money.Amount
}

// Sandbox gives what is asked for at once, and it is play money. It is what the
// original did: enter an amount.
type Sandbox struct{}

// Name is "sandbox".
func (Sandbox) Name() string { return "sandbox" }

// Play is true.
func (Sandbox) Play() bool { return true }

// Collect has the money at once.
func (Sandbox) Collect(_ context.Context, t TopUp) (Receipt, error) {
	return Receipt{Reference: string(t.ID), Amount: t.Amount}, nil
}
