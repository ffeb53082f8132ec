package pay_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/database/dbtest"
	"jishi/ledger"
	"jishi/pay"
	"jishi/pay/payclient"
)

const dan = authclient.UserID("usr_dan") // has nothing

// world is a database with payments in all states, their orders named after these, and its
// URL.
func world(t *testing.T) (b *bench, url string) {
	t.Helper()
	url = dbtest.SQLite(t)
	b = newBench(t, dbtest.Open(t, url, pay.Migrate))
	b.config.Fee = 1000
	b.Service = pay.New(b.config)
	ctx := t.Context()
	var errs []error
	b.wallet(t, alice, 9000)
	purse, err := b.Purse(ctx, alice)
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.TopUp(ctx, alice, pay.NewTopUp{Wallet: purse.Wallets[0].ID, Amount: 1000}, "")
	errs = append(errs, err)
	slow := b.config
	slow.Provider = late{}
	_, err = pay.New(slow).OpenWallet(ctx, dan, pay.NewWallet{TopUp: 500}, "")
	errs = append(errs, err)

	asked := func(user authclient.UserID, order string, hold bool) pay.PaymentID {
		p, err := b.Charge(ctx, shop(user), pay.NewPayment{Order: order, Hold: hold, Parties: []pay.Party{{"usr_bob", 100}, {"usr_carol", 100}}})
		if short, ok := payclient.ShortageOf(err); ok {
			return pay.PaymentID(short.Payment)
		}
		errs = append(errs, err)
		return p.ID
	}
	capture := func(p pay.PaymentID, parties ...pay.Party) {
		_, err := b.Capture(ctx, merchant, p, parties)
		errs = append(errs, err)
	}
	end := func(p pay.PaymentID) {
		_, err := b.Close(ctx, merchant, p)
		errs = append(errs, err)
	}
	refund := func(p pay.PaymentID, id string, minor int64) {
		_, err := b.Refund(ctx, merchant, p, pay.NewRefund{ID: id, Payee: "usr_bob", Amount: minor})
		errs = append(errs, err)
	}
	release := func(p pay.PaymentID, id string, minor int64) {
		_, err := b.Release(ctx, merchant, p, pay.NewRelease{ID: id, Payee: "usr_bob", Amount: minor})
		errs = append(errs, err)
	}
	asked(dan, "open", false)
	asked(alice, "held", true)
	asked(alice, "captured", false)
	capture(asked(alice, "captured-held", true))
	capture(asked(alice, "captured-part", true), pay.Party{Payee: "usr_carol", Amount: 70})
	end(asked(dan, "closed", false))
	end(asked(alice, "closed-held", true))
	_, err = b.CloseOrder(ctx, merchant, "closed-before")
	errs = append(errs, err)

	refunded := asked(alice, "refunded", false)
	refund(refunded, "back-10", 10)
	refund(refunded, "back-20", 20)
	released := asked(alice, "released", false)
	release(released, "to-bob-40", 40)
	release(released, "to-bob-50", 50)
	release(released, "to-bob-5", 5) // too little for a fee
	refund(released, "back-5", 5)    // what was left
	refund(released, "from-bob-30", 30)
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	return b, url
}

// violated is what a check reports, each as "invariant: name", in order.
func (b *bench) violated(t *testing.T) []string {
	t.Helper()
	var names []struct{ ID, Name string }
	err := b.db.Snapshot(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		return tx.NewRaw("SELECT id, order_id AS name FROM payments UNION ALL SELECT id, user_id FROM wallets UNION ALL "+
			"SELECT id, reference FROM refunds UNION ALL SELECT id, reference FROM releases UNION ALL SELECT id, 'top-up-' || amount FROM topups").Scan(ctx, &names)
	})
	if err != nil {
		t.Fatal(err)
	}
	nameOf := map[string]string{}
	for _, n := range names {
		nameOf[n.ID] = n.Name
	}
	var all []string
	_, err = b.Check(t.Context(), func(invariant, id, _ string) {
		if name, ok := nameOf[id]; ok {
			id = name
		}
		all = append(all, invariant+": "+id)
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func TestCheckCountsWhatItReads(t *testing.T) {
	b, _ := world(t)
	if got := b.violated(t); len(got) > 0 {
		t.Errorf("a sound world: %q", got)
	}
	got, err := b.Check(t.Context(), func(string, string, string) {})
	want := pay.Checked{Checked: got.Checked, Wallets: 3, TopUps: 2, Payments: 10, Refunds: 4, Releases: 3}
	if err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}

// tampering is a change behind pay's back: in its file, or through the ledger.
type tampering func(t *testing.T, b *bench, url string)

func written(statement string) tampering {
	return func(t *testing.T, _ *bench, url string) { dbtest.Tamper(t, url, statement) }
}

// moved is money that the ledger moved, and nobody knows why.
func moved(debit, credit ledger.AccountID) tampering {
	return func(t *testing.T, b *bench, _ string) {
		err := b.config.Ledger.Post(t.Context(), ledger.Group{{ID: "x", Kind: ledger.Move, Debit: debit, Credit: credit, Unit: "CNY", Amount: 7}})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// inPayment changes the one for an order, inShare what bob has of it.
func inPayment(order, set string) tampering {
	return written("UPDATE payments SET " + set + " WHERE order_id = '" + order + "'")
}

func inShare(order, set string) tampering {
	return written("UPDATE payment_parties SET " + set + " WHERE payee = 'usr_bob' AND payment_id = (SELECT id FROM payments WHERE order_id = '" + order + "')")
}

// inRow changes a refund or a release.
func inRow(table, reference, set string) tampering {
	return written("UPDATE " + table + " SET " + set + " WHERE reference = '" + reference + "'")
}

// swapped gives two rows of a table each other's value of a column.
func swapped(table, column, a, b string) tampering {
	these := " WHERE reference IN ('" + a + "', '" + b + "')"
	return written("UPDATE " + table + " SET " + column + " = (SELECT SUM(" + column + ") FROM " + table + these + ") - " + column + these)
}

func inTransfer(set, where string) tampering {
	return written("UPDATE transfers SET " + set + " WHERE " + where)
}

// Whatever is changed behind pay's back is found and named, and nothing else is.
func TestCheckFindsWhatWasChanged(t *testing.T) {
	_, original := world(t)
	const (
		escrow, fees, outside = "escrow:CNY", "fees:CNY", "world:CNY"
		escrowFits            = pay.EscrowFits + ": " + escrow
		feesFit               = pay.FeesFit + ": " + fees
		toppedUp              = pay.WorldIsToppedUp + ": " + outside
		nothingElse           = pay.NothingElseMoved + ": transfers"
		bobs                  = "(SELECT id FROM wallets WHERE user_id = 'usr_bob')"
		dans                  = "(SELECT id FROM wallets WHERE user_id = 'usr_dan')"
	)
	of := func(order string) string { return "(SELECT id FROM payments WHERE order_id = '" + order + "')" }
	for name, c := range map[string]struct {
		change tampering
		want   []string
	}{
		"an account without transfers vanishes": {written("DELETE FROM accounts WHERE id = " + dans), []string{pay.WalletHasAccount + ": usr_dan"}},
		"an account may be overdrawn":           {written("UPDATE accounts SET floor = -100000 WHERE id = " + bobs), []string{pay.WalletHasAccount + ": usr_bob"}},
		"an account has no floor":               {written("UPDATE accounts SET kind = 'open' WHERE id = " + dans), []string{pay.WalletHasAccount + ": usr_dan"}},

		"a share is more":         {inShare("open", "amount = 101"), []string{pay.PartiesAddUp + ": open"}},
		"a share vanishes":        {written("DELETE FROM payment_parties WHERE payee = 'usr_bob' AND payment_id = " + of("open")), []string{pay.PartiesAddUp + ": open"}},
		"an open payment is more": {inPayment("open", "amount = 201"), []string{pay.PartiesAddUp + ": open"}},

		"less of a share was taken":   {inShare("captured", "captured = 99"), []string{pay.SharesAddUp + ": captured"}},
		"less of a payment was taken": {inPayment("captured-part", "captured = 69"), []string{pay.SharesAddUp + ": captured-part", pay.TransferFits + ": captured-part", escrowFits}},
		"more of a payment went back": {inPayment("refunded", "refunded = 31"), []string{pay.SharesAddUp + ": refunded", escrowFits}},
		"more of a payment went on":   {inPayment("released", "released = 66"), []string{pay.SharesAddUp + ": released", escrowFits}},

		"one share has the other's money":                {written("UPDATE payment_parties SET captured = CASE payee WHEN 'usr_bob' THEN 101 ELSE 99 END WHERE payment_id = " + of("captured")), []string{pay.CountersFit + ": captured"}},
		"a share gave more back and on than was taken":   {inShare("released", "captured = 99"), []string{pay.CountersFit + ": released", pay.SharesAddUp + ": released"}},
		"a share gave less than nothing back":            {inShare("captured", "refunded = -1"), []string{pay.CountersFit + ": captured", pay.SharesAddUp + ": captured", pay.SharesFit + ": captured"}},
		"a share gave less than nothing on":              {inShare("captured", "released = -1"), []string{pay.CountersFit + ": captured", pay.SharesAddUp + ": captured", pay.SharesFit + ": captured"}},
		"a payment gave more back and on than was taken": {inPayment("released", "released = 166"), []string{pay.CountersFit + ": released", pay.SharesAddUp + ": released", escrowFits}},
		"a payment gave less than nothing back":          {inPayment("captured", "refunded = -1"), []string{pay.CountersFit + ": captured", pay.SharesAddUp + ": captured", escrowFits}},
		"a payment gave less than nothing on":            {inPayment("captured", "released = -1"), []string{pay.CountersFit + ": captured", pay.SharesAddUp + ": captured", escrowFits}},
		"more was taken than was agreed to":              {inPayment("captured-held", "authorized = 199"), []string{pay.CountersFit + ": captured-held", pay.StateFits + ": captured-held"}},
		"more was agreed to than was asked for":          {inPayment("captured-held", "authorized = 201"), []string{pay.CountersFit + ": captured-held", pay.StateFits + ": captured-held"}},

		"an open payment has a wallet":          {inPayment("open", "wallet_id = 'x'"), []string{pay.StateFits + ": open"}},
		"less is held than was asked for":       {inPayment("held", "authorized = 199"), []string{pay.StateFits + ": held"}},
		"what was taken is closed":              {inPayment("captured", "state = 'closed'"), []string{pay.StateFits + ": captured"}},
		"what was closed is taken":              {inPayment("closed", "state = 'captured'"), []string{pay.StateFits + ": closed"}},
		"what is held is open":                  {inPayment("held", "state = 'open'"), []string{pay.StateFits + ": held"}},
		"what is open is held":                  {inPayment("open", "state = 'authorized'"), []string{pay.StateFits + ": open"}},
		"what is held never was":                {inPayment("held", "hold = 0"), []string{pay.StateFits + ": held", pay.TransferFits + ": held"}},
		"what was taken in part was never held": {inPayment("captured-part", "hold = 0"), []string{pay.StateFits + ": captured-part", pay.TransferFits + ": captured-part", nothingElse}},
		"an open payment has an end":            {inPayment("open", "settled_at = created_at"), []string{pay.StateFits + ": open"}},
		"a closed payment has no end":           {inPayment("closed", "settled_at = NULL"), []string{pay.StateFits + ": closed"}},
		"a payment is in no state":              {inPayment("open", "state = 'lost'"), []string{pay.StateFits + ": open"}},

		"another wallet has paid":         {inPayment("captured", "wallet_id = "+bobs), []string{pay.TransferFits + ": captured"}},
		"a held payment is called closed": {inPayment("held", "state = 'closed', settled_at = created_at"), []string{pay.TransferFits + ": held", nothingElse}},
		"a closed payment is called held": {inPayment("closed-held", "state = 'authorized', settled_at = NULL"), []string{pay.TransferFits + ": closed-held", nothingElse}},
		"a payment never was paid":        {inPayment("held", "state = 'open', wallet_id = NULL, authorized = 0"), []string{pay.TransferFits + ": held", nothingElse}},
		"another amount is held":          {inTransfer("amount = 199", "id = "+of("held")), []string{pay.TransferFits + ": held", ledger.BalanceReplays + ": usr_alice", ledger.HeldIsOpen + ": usr_alice"}},

		"a payment's transfer is another's": {inTransfer("id = 'x'", "id = "+of("captured")), []string{pay.TransferFits + ": captured"}},
		"a capture is another's":            {inTransfer("id = 'x'", "id = "+of("captured-part")+" || ':capture'"), []string{pay.TransferFits + ": captured-part"}},

		"a refund is more":                          {inRow("refunds", "back-10", "amount = 11"), []string{pay.SharesFit + ": refunded", pay.MoneyMoved + ": back-10"}},
		"a refund is of another share":              {inRow("refunds", "back-10", "payee = 'usr_carol'"), []string{pay.SharesFit + ": refunded"}},
		"a refund is of nobody's share":             {inRow("refunds", "back-10", "payee = 'usr_dan'"), []string{pay.SharesFit + ": refunded"}},
		"a refund vanishes":                         {written("DELETE FROM refunds WHERE reference = 'back-10'"), []string{pay.SharesFit + ": refunded", nothingElse}},
		"a release is less":                         {inRow("releases", "to-bob-5", "amount = 4"), []string{pay.SharesFit + ": released", pay.MoneyMoved + ": to-bob-5"}},
		"a release vanishes":                        {written("DELETE FROM releases WHERE reference = 'to-bob-5'"), []string{pay.SharesFit + ": released", nothingElse}},
		"a share counts a refund that isn't there":  {inShare("captured", "refunded = 1"), []string{pay.SharesAddUp + ": captured", pay.SharesFit + ": captured"}},
		"a share counts a release that isn't there": {inShare("captured", "released = 1"), []string{pay.SharesAddUp + ": captured", pay.SharesFit + ": captured"}},

		"two refunds have each other's amounts":  {swapped("refunds", "amount", "back-10", "back-20"), []string{pay.MoneyMoved + ": back-10", pay.MoneyMoved + ": back-20"}},
		"two releases have each other's amounts": {swapped("releases", "amount", "to-bob-40", "to-bob-50"), []string{pay.MoneyMoved + ": to-bob-40", pay.MoneyMoved + ": to-bob-50"}},
		"two releases have each other's fees":    {swapped("releases", "fee", "to-bob-40", "to-bob-50"), []string{pay.MoneyMoved + ": to-bob-40", pay.MoneyMoved + ": to-bob-50"}},
		"a refund came from another wallet":      {inRow("refunds", "from-bob-30", "wallet_id = "+dans), []string{pay.MoneyMoved + ": from-bob-30"}},
		"a release went to another wallet":       {inRow("releases", "to-bob-5", "wallet_id = "+dans), []string{pay.MoneyMoved + ": to-bob-5"}},
		"a refund's transfer is another's":       {inTransfer("id = 'x'", "id = (SELECT id FROM refunds WHERE reference = 'back-10')"), []string{pay.MoneyMoved + ": back-10"}},
		"a refund from a payee is not":           {inTransfer("id = 'x'", "id = (SELECT id || ':back' FROM refunds WHERE reference = 'from-bob-30')"), []string{pay.MoneyMoved + ": from-bob-30"}},
		"a release's transfer is another's":      {inTransfer("id = 'x'", "id = (SELECT id FROM releases WHERE reference = 'to-bob-5')"), []string{pay.MoneyMoved + ": to-bob-5"}},
		"a fee is another's":                     {inTransfer("id = 'x'", "id = (SELECT id || ':fee' FROM releases WHERE reference = 'to-bob-40')"), []string{pay.MoneyMoved + ": to-bob-40"}},

		"money leaves escrow":                   {moved(escrow, outside), []string{escrowFits, toppedUp, nothingElse}},
		"fees leave":                            {moved(fees, outside), []string{feesFit, toppedUp, nothingElse}},
		"fees go up":                            {inRow("releases", "to-bob-5", "fee = 1"), []string{feesFit, pay.MoneyMoved + ": to-bob-5", nothingElse}},
		"a top-up is more":                      {written("UPDATE topups SET amount = 1001 WHERE amount = 1000"), []string{toppedUp, pay.MoneyMoved + ": top-up-1001"}},
		"a top-up never came":                   {written("UPDATE topups SET state = 'created' WHERE amount = 1000"), []string{toppedUp, nothingElse}},
		"a top-up came that didn't":             {written("UPDATE topups SET state = 'succeeded' WHERE amount = 500"), []string{toppedUp, pay.MoneyMoved + ": top-up-500", nothingElse}},
		"a top-up vanishes":                     {written("DELETE FROM topups WHERE amount = 1000"), []string{toppedUp, nothingElse}},
		"two top-ups have each other's amounts": {written("UPDATE topups SET amount = 10000 - amount WHERE amount IN (1000, 9000)"), []string{pay.MoneyMoved + ": top-up-1000", pay.MoneyMoved + ": top-up-9000"}},
		"a top-up went to another wallet":       {written("UPDATE topups SET wallet_id = " + dans + " WHERE amount = 1000"), []string{pay.MoneyMoved + ": top-up-1000"}},
		"a payment vanishes that took nothing":  {written("DELETE FROM payments WHERE order_id = 'closed-held'"), []string{nothingElse}},
		"one wallet gives to another": {func(t *testing.T, b *bench, url string) {
			from, err1 := b.Purse(t.Context(), alice)
			to, err2 := b.Purse(t.Context(), bob)
			if err := errors.Join(err1, err2); err != nil {
				t.Fatal(err)
			}
			moved(ledger.AccountID(from.Wallets[0].ID), ledger.AccountID(to.Wallets[0].ID))(t, b, url)
		}, []string{nothingElse}},
	} {
		t.Run(name, func(t *testing.T) {
			url := dbtest.Copy(t, original)
			b := newBench(t, dbtest.Open(t, url))
			c.change(t, b, url)
			slices.Sort(c.want)
			if got := b.violated(t); !slices.Equal(got, c.want) {
				t.Errorf("found\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}
