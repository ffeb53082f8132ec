package shop

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/id"
	"jishi/kit/money"
	"jishi/shop/picture"
	"jishi/shop/shopclient"
)

const (
	maxTitle       = 120    // characters
	maxDescription = 10_000 // characters
	maxImage       = 2_000  // characters
	maxPrice       = "1000000"
	maxStock       = 1_000_000 // pieces
	maxSearch      = 100       // characters
)

// ProductID is "prd_…".
type ProductID string

// ProductState tells whether a product is sold.
type ProductState string

// A product that was taken down stays in carts and histories.
const (
	Listed ProductState = "listed"
	Down   ProductState = "down"
)

// Product is something that is sold, and its row.
type Product struct {
	bun.BaseModel `bun:"table:products"`

	ID          ProductID `bun:",pk"`
	Seller      authclient.UserID
	SellerName  string
	Title       string
	Description string
	Image       string // name of a stored picture, or an address
	Price       int64  // minor units of Currency
	Currency    money.Currency
	State       ProductState
	Version     int64 // counts the seller's changes
	CreatedAt   database.Time

	Stock int64 `bun:"-"` // pieces that can be bought now, from the ledger
}

// Amount is the price of one piece.
func (p Product) Amount() money.Amount { return money.Amount{Minor: p.Price, Currency: p.Currency} }

// NewProduct is an offer as a seller writes it.
type NewProduct struct {
	Title       string
	Description string
	Image       string // name of a stored picture, an http(s) address, or ""
	Price       string // decimal
	Stock       int64
}

// AddProduct offers something for sale. The same use of a key gives the same product;
// key may be empty.
func (s *Service) AddProduct(ctx context.Context, seller Person, in NewProduct, key string) (Product, error) {
	p := Product{
		ID:         ProductID(id.New("prd")),
		Seller:     seller.ID,
		SellerName: seller.Name,
		Currency:   s.currency,
		State:      Listed,
		Version:    1,
		CreatedAt:  database.At(s.now()),
		Stock:      in.Stock,
	}
	err := errors.Join(
		p.setTitle(in.Title),
		p.setDescription(in.Description),
		s.setPrice(&p, in.Price),
		s.setImage(ctx, &p, in.Image),
		checkPieces(in.Stock),
	)
	if err != nil {
		return Product{}, err
	}
	asked := in
	asked.Image = picture.Content(in.Image) // a form that is sent twice stores its picture under two names
	got, err := s.db.InTxOnce(ctx, use("product", seller.ID, key, asked), string(p.ID), func(ctx context.Context, tx bun.Tx) error {
		if _, err := tx.NewInsert().Model(&p).Exec(ctx); err != nil {
			return fmt.Errorf("add product %s: %w", p.ID, err)
		}
		if err := s.usePicture(ctx, tx, p.Image); err != nil {
			return err
		}
		return s.supply(ctx, tx, p.ID, p.Version, in.Stock)
	})
	if err != nil {
		return Product{}, err
	}
	p, err = s.Product(ctx, ProductID(got))
	return p, database.Afterwards(err)
}

// ProductChange is what a seller changes; nil stays as it is.
type ProductChange struct {
	Version     int64 // that the seller saw, or 0 for any
	Title       *string
	Description *string
	Image       *string
	Price       *string
	Stock       *int64 // pieces that can be bought from now on
	StockSeen   *int64 // what the seller saw of Stock: the difference to it is applied
}

// ChangeProduct changes a product of the seller's. Orders keep what they were placed
// with. Without StockSeen, Stock is what can be bought then, whatever was sold meanwhile. The
// same use of a key changes it once; key may be empty.
func (s *Service) ChangeProduct(ctx context.Context, seller authclient.UserID, pid ProductID, in ProductChange, key string) (Product, error) {
	p, err := s.OwnProduct(ctx, seller, pid)
	if err != nil {
		return Product{}, err
	}
	version, stock, image := p.Version, p.Stock, p.Image
	var errs []error
	if in.Title != nil {
		errs = append(errs, p.setTitle(*in.Title))
	}
	if in.Description != nil {
		errs = append(errs, p.setDescription(*in.Description))
	}
	if in.Price != nil {
		errs = append(errs, s.setPrice(&p, *in.Price))
	}
	if in.Image != nil {
		errs = append(errs, s.setImage(ctx, &p, *in.Image))
	}
	if in.Stock != nil {
		errs = append(errs, checkPieces(*in.Stock))
	}
	if in.StockSeen != nil {
		stock = *in.StockSeen
		errs = append(errs, checkPieces(stock))
	}
	if err := errors.Join(errs...); err != nil {
		return Product{}, err
	}
	asked := in
	if in.Image != nil {
		content := picture.Content(*in.Image) // a form that is sent twice stores its picture under two names
		asked.Image = &content
	}
	u := use("product.change", seller, key, struct {
		Product ProductID
		Change  ProductChange
	}{pid, asked})
	_, err = s.db.InTxOnce(ctx, u, string(pid), func(ctx context.Context, tx bun.Tx) error {
		if in.Version != 0 && in.Version != version {
			return shopclient.ErrStale
		}
		won, err := database.Changed(tx.NewUpdate().Model(&p).
			Column("title", "description", "image", "price", "currency").
			Set("version = version + 1").
			Where("id = ?", pid).
			Where("version = ?", version).
			Where("state = ?", Listed).
			Exec(ctx))
		if err != nil {
			return fmt.Errorf("change product %s: %w", pid, err)
		}
		if !won {
			return shopclient.ErrStale
		}
		if p.Image != image {
			if err := s.usePicture(ctx, tx, p.Image); err != nil {
				return err
			}
		}
		if in.Stock == nil {
			return nil
		}
		// A difference, and one per version: what is held or sold between the reading and the
		// writing is as if it came after.
		return s.shift(ctx, tx, pid, version+1, *in.Stock-stock)
	})
	if err != nil {
		return Product{}, err
	}
	p, err = s.Product(ctx, pid)
	return p, database.Afterwards(err)
}

// TakeDown ends the sale of a product; twice is once. Orders that were placed go on.
func (s *Service) TakeDown(ctx context.Context, seller authclient.UserID, pid ProductID) error {
	p, err := s.Product(ctx, pid)
	if err != nil {
		return err
	}
	if p.Seller != seller {
		return shopclient.ErrNotSeller
	}
	return s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewUpdate().Model((*Product)(nil)).
			Set("state = ?", Down).
			Set("version = version + 1").
			Where("id = ?", pid).
			Where("state = ?", Listed).
			Exec(ctx)
		if err != nil {
			return fmt.Errorf("take down product %s: %w", pid, err)
		}
		return nil
	})
}

// Product is a product, whether it is still sold or not.
func (s *Service) Product(ctx context.Context, pid ProductID) (Product, error) {
	var p Product
	err := s.db.NewSelect().Model(&p).Where("id = ?", pid).Scan(ctx)
	if errors.Is(err, sql.ErrNoRows) {
		return Product{}, shopclient.ErrNoProduct
	}
	if err != nil {
		return Product{}, fmt.Errorf("read product %s: %w", pid, err)
	}
	stock, err := s.stockOf(ctx, pid)
	if err != nil {
		return Product{}, err
	}
	p.Stock = stock[pid]
	return p, nil
}

// OwnProduct is a product that is sold by the seller: others' are ErrNotSeller, ended ones
// ErrNoProduct.
func (s *Service) OwnProduct(ctx context.Context, seller authclient.UserID, pid ProductID) (Product, error) {
	p, err := s.Product(ctx, pid)
	if err != nil {
		return Product{}, err
	}
	if p.State != Listed {
		return Product{}, shopclient.ErrNoProduct
	}
	if p.Seller != seller {
		return Product{}, shopclient.ErrNotSeller
	}
	return p, nil
}

// ProductQuery narrows a list of products; empty fields don't.
type ProductQuery struct {
	Search    string // in title or description, whatever the case of ASCII letters
	Seller    authclient.UserID
	TakenDown bool // with what is not sold any more
}

// Products is a page of what is sold, newest first, and the cursor of the next page.
func (s *Service) Products(ctx context.Context, query ProductQuery, page database.Page) ([]Product, string, error) {
	q := s.db.NewSelect()
	if !query.TakenDown {
		q.Where("state = ?", Listed)
	}
	if query.Seller != "" {
		q.Where("seller = ?", query.Seller)
	}
	if search := shorten(strings.TrimSpace(query.Search), maxSearch); search != "" {
		like := "%" + wildcards.Replace(search) + "%"
		q.WhereGroup(" AND ", func(q *bun.SelectQuery) *bun.SelectQuery {
			return q.Where("title LIKE ? ESCAPE '!'", like).WhereOr("description LIKE ? ESCAPE '!'", like)
		})
	}
	all, next, err := database.Newest(ctx, q, page, "id", func(p Product) ProductID { return p.ID })
	if err != nil {
		return nil, "", fmt.Errorf("list products: %w", err)
	}
	ids := make([]ProductID, len(all))
	for i, p := range all {
		ids[i] = p.ID
	}
	stock, err := s.stockOf(ctx, ids...)
	if err != nil {
		return nil, "", err
	}
	for i := range all {
		all[i].Stock = stock[all[i].ID]
	}
	return all, next, nil
}

// wildcards takes their meaning from the characters that have one in LIKE.
var wildcards = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")

func shorten(text string, most int) string {
	if r := []rune(text); len(r) > most {
		return string(r[:most])
	}
	return text
}

func (p *Product) setTitle(title string) error {
	p.Title = strings.TrimSpace(title)
	if n := utf8.RuneCountInString(p.Title); n > maxTitle || !visible(p.Title) || !strings.ContainsFunc(p.Title, shows) {
		return shopclient.ErrTitle
	}
	return nil
}

func (p *Product) setDescription(text string) error {
	p.Description = strings.TrimSpace(strings.ReplaceAll(text, "\r\n", "\n"))
	if utf8.RuneCountInString(p.Description) > maxDescription || !visible(strings.ReplaceAll(p.Description, "\n", "")) {
		return shopclient.ErrDescription
	}
	return nil
}

// shows tells whether a character leaves a mark by itself.
func shows(r rune) bool { return unicode.IsGraphic(r) && !unicode.IsSpace(r) }

// visible refuses control characters and what is no text; some databases would refuse
// or cut it.
func visible(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool {
		return unicode.IsControl(r) && r != '\t'
	})
}

func (s *Service) setPrice(p *Product, decimal string) error {
	a, err := money.Parse(decimal, s.currency)
	if err != nil {
		return shopclient.ErrPrice.Because(err)
	}
	most, err := money.Parse(maxPrice, s.currency)
	if err != nil {
		return fmt.Errorf("largest price in %s: %w", s.currency, err)
	}
	if a.Minor <= 0 || a.Minor > most.Minor {
		return shopclient.ErrPrice
	}
	p.Price, p.Currency = a.Minor, a.Currency
	return nil
}

func (s *Service) setImage(ctx context.Context, p *Product, image string) error {
	p.Image = strings.TrimSpace(image)
	if p.Image == "" {
		return nil
	}
	if picture.Valid(p.Image) {
		stored, err := s.pictures.Has(ctx, p.Image)
		if err == nil && !stored {
			return shopclient.ErrImage
		}
		return err
	}
	u, err := url.Parse(p.Image)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil ||
		utf8.RuneCountInString(p.Image) > maxImage || !visible(p.Image) {
		return shopclient.ErrImage
	}
	return nil
}

func checkPieces(n int64) error {
	if n < 0 || n > maxStock {
		return shopclient.ErrStock
	}
	return nil
}
