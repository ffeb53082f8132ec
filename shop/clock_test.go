package shop

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"jishi/pay/payclient"
)

// The clocks of two replicas step back and forth by up to an hour, each for itself, while
// people buy, call off and let time pass. An order may end early or late by that; but it ends,
// and where its payment does.
func TestClocksThatStep(t *testing.T) {
	replicas(t, func(t *testing.T, m *market, all []*market) {
		p := m.product(1000)
		for _, r := range all {
			r.terms.OpenOrders = 0
		}
		var orders []Order
		for round := range 15 {
			o := m.pending(p, 1)
			orders = append(orders, o)
			at(3, func(i int) error {
				r := all[(round+i)%2]
				r.forward(rand.N(2*time.Hour) - time.Hour)
				switch i {
				case 0:
					return second(r.Pay(t.Context(), bob.ID, o.ID, ""))
				case 1:
					if round%3 == 0 {
						return second(r.Cancel(t.Context(), bob.ID, o.ID))
					}
				}
				r.work()
				return nil
			})
		}
		for _, r := range all {
			r.forward(24 * time.Hour)
		}
		m.work()
		for _, o := range orders {
			state, payment := m.state(o), m.pay.Payment(string(o.ID)).State
			if got := fmt.Sprint(state, " ", payment); got != fmt.Sprint(Paid, " ", payclient.Captured) && got != fmt.Sprint(Canceled, " ", payclient.Closed) {
				t.Errorf("order %s and its payment are %s", o.ID, got)
			}
		}
	})
}
