package pay_test

import (
	"testing"

	"jishi/kit/database/dbtest"
)

// The schema refuses by itself what the rules never write, should they have a defect.
func TestTheSchemaRefusesWhatIsWrong(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		b.wallet(t, alice, 1000)
		if _, err := b.Charge(t.Context(), shop(alice), order("ord_1", 100)); err != nil {
			t.Fatal(err)
		}
		dbtest.Refused(t, b.db, dbtest.Check, "more given back and on than was taken", "UPDATE payments SET refunded = 60, released = 41")
		dbtest.Refused(t, b.db, dbtest.Check, "more given back and on of a share than was taken", "UPDATE payment_parties SET refunded = 60, released = 41")
		dbtest.Refused(t, b.db, dbtest.Unique, "a second payment for an order",
			"INSERT INTO payments (id, order_id, merchant, payer, state, amount, currency, expires_at, created_at) "+
				"SELECT 'pay_2', order_id, merchant, payer, 'open', amount, currency, expires_at, created_at FROM payments")
		dbtest.Refused(t, b.db, dbtest.Unique, "a second refund with one reference",
			"INSERT INTO refunds (id, payment_id, reference, payee, amount, reason, created_at) SELECT 'rfd_%', id, 'r', 'usr_seller', 1, '', 1 FROM payments",
			"INSERT INTO refunds (id, payment_id, reference, payee, amount, reason, created_at) SELECT 'rfd_2', payment_id, reference, payee, amount, reason, created_at FROM refunds")
		dbtest.Refused(t, b.db, dbtest.Unique, "a second release with one reference",
			"INSERT INTO releases (id, payment_id, reference, payee, amount, fee, wallet_id, created_at) SELECT 'rel_%', id, 'r', 'usr_seller', 1, 0, 'w', 1 FROM payments",
			"INSERT INTO releases (id, payment_id, reference, payee, amount, fee, wallet_id, created_at) SELECT 'rel_2', payment_id, reference, payee, amount, fee, wallet_id, created_at FROM releases")
	})
}
