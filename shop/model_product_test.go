package shop

import (
	"slices"

	"jishi/auth/authclient"
	"jishi/kit/money"
	"jishi/shop/shopclient"
)

type modelProduct struct {
	id                    ProductID
	title                 string
	seller                authclient.UserID
	price                 int64
	down                  bool
	available, held, sold int64
}

// modelLine is of a cart, where price is what the buyer saw, or of an order.
type modelLine struct {
	*modelProduct
	n, price int64
}

func (m *model) own(seller authclient.UserID, p *modelProduct) error {
	switch {
	case p.down:
		return shopclient.ErrNoProduct
	case p.seller != seller:
		return shopclient.ErrNotSeller
	}
	return nil
}

func (m *model) reprice(seller authclient.UserID, p *modelProduct, price int64) error {
	if err := m.own(seller, p); err != nil {
		return err
	}
	p.price = price
	return nil
}

// restock has the seller, who saw that many pieces, write down how many there are.
func (m *model) restock(seller authclient.UserID, p *modelProduct, seen, n int64) error {
	if err := m.own(seller, p); err != nil {
		return err
	}
	if p.available+n-seen < 0 {
		return shopclient.ErrStockTaken
	}
	p.available += n - seen
	return nil
}

func (m *model) takeDown(seller authclient.UserID, p *modelProduct) error {
	if p.seller != seller {
		return shopclient.ErrNotSeller
	}
	p.down = true
	return nil
}

func (m *model) line(buyer authclient.UserID, p *modelProduct) *modelLine {
	for _, l := range m.carts[buyer] {
		if l.modelProduct == p {
			return l
		}
	}
	return nil
}

// put brings the pieces of a product in a cart to n, or with more up by n.
func (m *model) put(buyer authclient.UserID, p *modelProduct, n int64, seen *money.Amount, more bool) error {
	l := m.line(buyer, p)
	if l == nil && p.down {
		return shopclient.ErrNoProduct
	}
	if l != nil && more {
		n += l.n
	}
	if n > maxQuantity {
		return shopclient.ErrQuantity
	}
	if l == nil {
		l = &modelLine{modelProduct: p}
		m.carts[buyer] = append(m.carts[buyer], l)
	}
	l.n, l.price = n, p.price
	if seen != nil {
		l.price = seen.Minor
	}
	return nil
}

func (m *model) remove(buyer authclient.UserID, p *modelProduct) {
	m.carts[buyer] = slices.DeleteFunc(m.carts[buyer], func(l *modelLine) bool { return l.modelProduct == p })
}

func (p *modelProduct) trouble(n int64) Trouble {
	switch {
	case p.down:
		return Gone
	case p.available <= 0:
		return SoldOut
	case p.available < n:
		return Short
	}
	return None
}
