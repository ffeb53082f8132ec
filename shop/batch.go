package shop

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/crash"
	"jishi/kit/database"
	"jishi/kit/job"
	"jishi/ledger"
	"jishi/shop/shopclient"
)

// change is a request of one of two kinds: an order to be placed, or one to be brought to
// its end. Both take pieces of products, so they are written by one committer, and many
// at once.
type change struct {
	place *placing
	end   *ending
}

// rows is how many lines its order has, or may have where they come out of a cart.
func (c change) rows() int {
	switch {
	case c.end != nil:
		return len(c.end.order.Lines)
	case c.place.in.Cart && len(c.place.in.Items) == 0:
		return maxLines
	}
	return len(c.place.in.Items)
}

// placing is an order as it is asked for.
type placing struct {
	order Order // its id and buyer
	in    NewOrder
	claim database.Claim
}

// ending brings a pending order to Paid or Canceled, and ends its holds with it.
type ending struct {
	order Order
	to    State
}

// changed is the answer: the order as it is now, or a refusal.
type changed struct {
	order Order
	first OrderID // what the same use of the key had placed before
	err   error
	again bool // it met another change of the same thing in its batch, and comes after that
}

// change has one written, together with those of others.
func (s *Service) change(ctx context.Context, c change) (changed, error) {
	for {
		got, err := s.changes.Do(ctx, c)
		if err != nil || !got.again {
			return got, err
		}
	}
}

// linesAtOnce is how many lines are written by one statement: with the longest titles and
// addresses of pictures a line has 9 kB.
const linesAtOnce = 1000

// orderBatch is changes being written; each step goes on with what is left of them.
type orderBatch struct {
	*Service
	tx  bun.Tx
	at  time.Time
	out []changed

	places []*placement
	ends   []*end
	stock  map[ProductID]int64 // that there was; after apply, that there is
}

type placement struct {
	placing
	i    int // in out
	cart []cartLine
	left []cartLine // of the cart
}

type end struct {
	ending
	i int
}

// writeChanges is one transaction with everything that has to be true of many orders.
func (s *Service) writeChanges(ctx context.Context, tx bun.Tx, batch []change) ([]changed, error) {
	b := &orderBatch{Service: s, tx: tx, at: s.now(), out: make([]changed, len(batch))}
	b.sort(batch)
	for _, step := range []func(context.Context) error{b.lockEnds, b.lookUp, b.takeCarts, b.price, b.admitAll, b.writeEnds, b.apply, b.writePlaces, b.record} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return b.out, nil
}

// sort parts the kinds, and puts off what meets another change of the same order, key or cart.
func (b *orderBatch) sort(batch []change) {
	met := map[string]bool{}
	meets := func(name string) bool {
		before := met[name]
		met[name] = true
		return before
	}
	for i, c := range batch {
		switch {
		case c.end != nil:
			if b.out[i].again = meets("order " + string(c.end.order.ID)); !b.out[i].again {
				b.ends = append(b.ends, &end{ending: *c.end, i: i})
			}
		default:
			again := c.place.claim.Name() != "" && meets("key "+c.place.claim.Name())
			again = c.place.in.Cart && meets("cart "+string(c.place.order.Buyer)) || again
			if b.out[i].again = again; !again {
				b.places = append(b.places, &placement{placing: *c.place, i: i})
			}
		}
	}
}

// keep drops the placements that are refused; the others go on.
func (b *orderBatch) keep(check func(*placement) error) {
	kept := b.places[:0]
	for _, p := range b.places {
		if err := check(p); err != nil {
			b.out[p.i].err = err
			continue
		}
		kept = append(kept, p)
	}
	b.places = kept
}

// lockEnds locks the orders that shall end, and drops those that have.
func (b *orderBatch) lockEnds(ctx context.Context) error {
	if len(b.ends) == 0 {
		return nil
	}
	ids := make([]OrderID, len(b.ends))
	for i, e := range b.ends {
		ids[i] = e.order.ID
	}
	var rows []Order
	err := database.ForUpdate(b.tx.NewSelect().Model(&rows).Column("id", "state").Where("id IN (?)", bun.In(ids)).Order("id")).Scan(ctx)
	if err != nil {
		return fmt.Errorf("lock orders: %w", err)
	}
	state := make(map[OrderID]State, len(rows))
	for _, r := range rows {
		state[r.ID] = r.State
	}
	kept := b.ends[:0]
	for _, e := range b.ends {
		if state[e.order.ID] != Pending {
			b.out[e.i].err = shopclient.ErrWrongState
			continue
		}
		kept = append(kept, e)
	}
	b.ends = kept
	return nil
}

// lookUp drops what was placed before with the same key.
func (b *orderBatch) lookUp(ctx context.Context) error {
	claims := make([]database.Claim, len(b.places))
	for i, p := range b.places {
		claims[i] = p.claim
	}
	past, err := database.LookUpClaims(ctx, b.tx, claims)
	if err != nil {
		return err
	}
	kept := b.places[:0]
	for i, p := range b.places {
		switch {
		case past[i].Err != nil:
			b.out[p.i].err = past[i].Err
		case past[i].Result != "":
			b.out[p.i].first = OrderID(past[i].Result)
		default:
			kept = append(kept, p)
		}
	}
	b.places = kept
	return nil
}

// takeCarts reads what is bought out of carts.
func (b *orderBatch) takeCarts(ctx context.Context) error {
	var buyers []authclient.UserID
	for _, p := range b.places {
		if p.in.Cart {
			buyers = append(buyers, p.order.Buyer)
		}
	}
	carts, err := b.lockCarts(ctx, b.tx, buyers)
	if err != nil {
		return err
	}
	b.keep(func(p *placement) (err error) {
		if p.in.Cart {
			p.cart = carts[p.order.Buyer]
			p.in.Items, p.left, err = b.fromCart(p.cart, p.in.Items)
		}
		return err
	})
	return nil
}

// price gives the orders their lines, with today's products, and their totals.
func (b *orderBatch) price(ctx context.Context) error {
	products, err := b.productsByID(ctx, b.tx.NewSelect(), b.concerned())
	if err != nil {
		return err
	}
	if b.stock, err = b.stockIn(ctx, b.tx, slices.Collect(maps.Keys(products))); err != nil {
		return err
	}
	b.keep(func(p *placement) error {
		if b.stuck(p.left, products, b.stock) {
			return shopclient.ErrCartChanged
		}
		o, err := b.priced(p.order.ID, p.in.Items, products)
		if err != nil {
			return err
		}
		o.Buyer, o.BuyerName, o.State = p.order.Buyer, p.order.BuyerName, Pending
		o.CreatedAt = database.At(b.at)
		p.order = o
		return nil
	})
	return nil
}

// concerned is the products that are bought, and those that stay in carts.
func (b *orderBatch) concerned() []ProductID {
	ids := map[ProductID]struct{}{}
	for _, p := range b.places {
		for _, item := range p.in.Items {
			ids[item.Product] = struct{}{}
		}
		for _, l := range p.left {
			ids[l.ProductID] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

// admitAll refuses those whose buyers have too much open. Where that is because of another
// order of this batch, which may be refused yet, it is put off instead.
func (b *orderBatch) admitAll(ctx context.Context) error {
	buyers := make([]authclient.UserID, len(b.places))
	for i, p := range b.places {
		buyers[i] = p.order.Buyer
	}
	if len(buyers) == 0 {
		return nil
	}
	open, err := b.openOf(ctx, b.tx, buyers...)
	if err != nil {
		return err
	}
	admitted := map[authclient.UserID]bool{}
	b.keep(func(p *placement) error {
		err := b.admit(open[p.order.Buyer], p.order.Lines)
		b.out[p.i].again = err != nil && admitted[p.order.Buyer]
		admitted[p.order.Buyer] = admitted[p.order.Buyer] || err == nil
		return err
	})
	return nil
}

// apply moves the pieces: first those that become free; and says until when the orders that
// have theirs must be paid. From here to the commit other replicas wait that sell the same
// products, so what can come before it does.
func (b *orderBatch) apply(ctx context.Context) error {
	groups := make([]ledger.Group, 0, len(b.ends)+len(b.places))
	for _, e := range b.ends {
		groups = append(groups, endOf(e.order, outcome[e.to]))
	}
	for _, p := range b.places {
		groups = append(groups, holdOf(p.order))
	}
	refusals, err := b.ledger.Apply(ctx, b.tx, groups...)
	if err != nil {
		return err
	}
	for i, e := range b.ends {
		if refusals[i] != nil { // the order was pending, so its holds were open
			return fmt.Errorf("end the holds of order %s: %w", e.order.ID, refusals[i])
		}
	}
	refusals = refusals[len(b.ends):]
	next := 0
	b.keep(func(p *placement) error {
		next++
		if err := soldOut(p.order, refusals[next-1]); err != nil {
			return err
		}
		for _, l := range p.order.Lines {
			b.stock[l.ProductID] -= l.Quantity
		}
		p.order.DeadlineAt = database.At(b.payBefore(b.at, b.stock, p.order.Lines))
		return nil
	})
	return nil
}

func (b *orderBatch) writePlaces(ctx context.Context) error {
	if len(b.places) == 0 {
		return nil
	}
	var claims []database.Claim
	var orders []Order
	var lines []OrderLine
	var jobs []job.Job
	var bought []cartLine
	for _, p := range b.places {
		claims = append(claims, p.claim)
		orders = append(orders, p.order)
		lines = append(lines, p.order.Lines...)
		jobs = append(jobs, settling(p.order))
		if p.in.Cart {
			bought = append(bought, boughtOf(p.cart, p.order)...)
		}
		b.out[p.i].order = p.order
	}
	if err := database.RecordClaims(ctx, b.tx, claims); err != nil {
		return err
	}
	if _, err := database.Insert(b.tx, &orders).Exec(ctx); err != nil {
		return fmt.Errorf("write %d orders: %w", len(orders), err)
	}
	for part := range slices.Chunk(lines, linesAtOnce) {
		if _, err := database.Insert(b.tx, &part).Exec(ctx); err != nil {
			return fmt.Errorf("write the lines of %d orders: %w", len(orders), err)
		}
	}
	if len(bought) > 0 {
		if _, err := b.tx.NewDelete().Model(&bought).WherePK().Exec(ctx); err != nil {
			return fmt.Errorf("take out of carts what is bought: %w", err)
		}
	}
	crash.Point("shop.order.written")
	return b.jobs.Add(ctx, b.tx, jobs...)
}

func (b *orderBatch) writeEnds(ctx context.Context) error {
	if len(b.ends) == 0 {
		return nil
	}
	ids := map[State][]OrderID{}
	var keys []string
	for _, e := range b.ends {
		o := e.order
		o.State = e.to
		if e.to == Paid {
			o.PaidAt = database.At(b.at).Time
		}
		b.out[e.i].order = o
		ids[e.to] = append(ids[e.to], o.ID)
		keys = append(keys, string(o.ID))
	}
	for to, of := range ids {
		res, err := b.tx.NewUpdate().Model((*Order)(nil)).Set("state = ?", to).
			Where("id IN (?)", bun.In(of)).Where("state IN (?)", bun.In(from[to])).Exec(ctx)
		if err != nil {
			return fmt.Errorf("move %d orders to %s: %w", len(of), to, err)
		}
		if n, err := res.RowsAffected(); err != nil || n != int64(len(of)) {
			return errors.Join(err, fmt.Errorf("%d of %d orders moved to %s, although they are locked", n, len(of), to))
		}
	}
	if err := b.writeShipments(ctx); err != nil {
		return err
	}
	crash.Point("shop.end.written")
	return b.jobs.Remove(ctx, b.tx, settleJob, keys...)
}

// record writes the history of all.
func (b *orderBatch) record(ctx context.Context) error {
	var events []orderEvent
	for _, p := range b.places {
		events = append(events, orderEvent{OrderID: p.order.ID, State: Pending, At: database.At(b.at)})
	}
	for _, e := range b.ends {
		events = append(events, orderEvent{OrderID: e.order.ID, State: e.to, At: database.At(b.at)})
	}
	if len(events) == 0 {
		return nil
	}
	if _, err := database.Insert(b.tx, &events).Exec(ctx); err != nil {
		return fmt.Errorf("record %d states of orders: %w", len(events), err)
	}
	return nil
}
