//go:build unix

package pay_test

import (
	"errors"
	"testing"

	"jishi/kit/database"
	"jishi/kit/database/dbtest"
	"jishi/pay"
)

// A disk that fails in each COMMIT isn't asked for ever. When it works again, the same charge is
// done once.
func TestAChargeOnADiskThatFails(t *testing.T) {
	b := newBench(t, dbtest.Open(t, dbtest.SQLite(t), pay.Migrate))
	w := b.wallet(t, alice, 1000)
	charge := func() error {
		_, err := b.Charge(t.Context(), shop(alice), pay.NewPayment{Order: "order-1", Parties: []pay.Party{{"usr_bob", 200}}})
		return err
	}
	mend := dbtest.BreakDisk(t)
	err := charge()
	mend()
	if !errors.Is(err, database.ErrUnknown) {
		t.Errorf("got %v, want %v", err, database.ErrUnknown)
	}
	for range 2 {
		if err := charge(); err != nil {
			t.Error(err)
		}
	}
	if got := b.available(t, alice, w.ID); got != 800 {
		t.Errorf("%d are available, want 800", got)
	}
}
