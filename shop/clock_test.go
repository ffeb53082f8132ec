package shop

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"jishi/pay/payclient"
	"jishi/shop/shopclient"
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
		told := map[OrderID]State{}
		for round := range 15 {
			o := m.pending(p, 1)
			orders = append(orders, o)
			roles := rand.Perm(3) // or the first one would nearly always be the fastest
			for _, now := range at(3, func(i int) Order {
				r := all[(round+i)%2]
				r.forward(rand.N(2*time.Hour) - time.Hour)
				var now Order
				var err error
				switch {
				case roles[i] == 0 && round%3 != 1:
					now, err = r.Pay(t.Context(), bob.ID, o.ID, "")
				case roles[i] == 1 && round%3 == 0:
					now, err = r.Cancel(t.Context(), bob.ID, o.ID)
					if errors.Is(err, shopclient.ErrWrongState) {
						now.State, err = Paid, nil
					}
				default:
					r.work()
				}
				if err != nil {
					t.Errorf("round %d: %v", round, err)
				}
				return now
			}) {
				if was := told[o.ID]; was != "" && now.State != "" && was != now.State {
					t.Errorf("order %s was told to be %s and %s", o.ID, was, now.State)
				}
				told[o.ID] = cmp.Or(now.State, told[o.ID])
			}
		}
		for _, r := range all {
			r.forward(24 * time.Hour)
		}
		m.work()
		ends := map[string]int{}
		for _, o := range orders {
			state, payment := m.state(o), m.pay.Payment(string(o.ID)).State
			ends[fmt.Sprint(state, " ", payment)]++
			if was := told[o.ID]; was != "" && was != state {
				t.Errorf("order %s is %s, and was told to be %s", o.ID, state, was)
			}
		}
		paid, canceled := ends[fmt.Sprint(Paid, " ", payclient.Captured)], ends[fmt.Sprint(Canceled, " ", payclient.Closed)]
		if paid == 0 || canceled == 0 || paid+canceled != len(orders) {
			t.Errorf("orders and their payments are %v", ends)
		}
		t.Log(ends)
	})
}
