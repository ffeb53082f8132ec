package shop

import (
	"testing"

	"jishi/kit/database/dbtest"
)

// The schema refuses by itself what the rules never write, should they have a defect.
func TestTheSchemaRefusesWhatIsWrong(t *testing.T) {
	each(t, func(t *testing.T, m *market) {
		m.bought(m.product(1))
		const others = "buyer, seller, seller_name, state, amount, currency, refunded, released, requests, carrier, tracking, created_at"
		dbtest.Refused(t, m.db, dbtest.Check, "more granted than a share", "UPDATE shipments SET refunded = amount + 1")
		dbtest.Refused(t, m.db, dbtest.Check, "less granted than nothing", "UPDATE shipments SET refunded = -1")
		dbtest.Refused(t, m.db, dbtest.Check, "more due than a share", "UPDATE shipments SET released = amount + 1")
		dbtest.Refused(t, m.db, dbtest.Check, "less due than nothing", "UPDATE shipments SET released = -1")
		dbtest.Refused(t, m.db, dbtest.Unique, "a seller's second shipment of an order",
			"INSERT INTO shipments (id, order_id, "+others+") SELECT 'shp_2', order_id, "+others+" FROM shipments")
	})
}
