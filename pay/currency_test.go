package pay_test

import (
	"strings"
	"testing"

	"jishi/pay"
)

// Where there are wallets the currency stays; before that it may be chosen anew. Another one is
// refused at the start, and harms nothing.
func TestTheCurrencyStays(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		yen := b.config
		yen.Currency = "JPY"
		if err := pay.New(yen).Prepare(t.Context()); err != nil {
			t.Errorf("without wallets: %v", err)
		}
		w := b.wallet(t, alice, 100_000)
		if err := pay.New(yen).Prepare(t.Context()); err == nil || !strings.Contains(err.Error(), `currency "JPY": want CNY`) {
			t.Errorf("with a wallet in yuan: %v", err)
		}
		if err := pay.New(b.config).Prepare(t.Context()); err != nil {
			t.Errorf("as it was: %v", err)
		}
		if got := b.balance(t, alice, w.ID); got != 100_000 {
			t.Errorf("got %d, want 100000", got)
		}
	})
}
