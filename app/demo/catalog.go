package demo

import "slices"

// person is a user of the demo market. All have the same password.
type person struct {
	login   string // before the @ of the address
	name    string
	about   string
	wallets []wallet
}

// wallet is opened with an amount in it; "" is none. The first one pays by default.
type wallet struct{ name, amount string }

// identifier is what a person logs in with. The domain is reserved for examples
// (RFC 2606), so no mail of the market reaches anybody.
func (p person) identifier() string { return p.login + "@demo.example" }

// Sellers have a wallet too: who sells also buys.
var sellers = []person{
	{"seller1", "山野果园 Hillside Orchard", "fruit and vegetables", []wallet{{"店铺 Shop", "800.00"}}},
	{"seller2", "麦田与茶 Field & Leaf", "bakery, tea and coffee", []wallet{{"店铺 Shop", "650.00"}}},
	{"seller3", "木与光 Wood & Light", "home, stationery and toys", []wallet{{"店铺 Shop", "1200.00"}}},
	{"seller4", "芯语数码 Bright Circuit", "electronics", []wallet{{"店铺 Shop", "3000.00"}}},
	{"seller5", "远行者 Wayfarer", "sport and outdoors", []wallet{{"店铺 Shop", "900.00"}}},
}

// The fourth and fifth have too little for what they want: their orders show the cashier.
var buyers = []person{
	{"buyer1", "林晓雨", "two wallets, a full cart", []wallet{{"日常 Everyday", "3000.00"}, {"旅行 Travel", "1500.00"}}},
	{"buyer2", "Emma Clarke", "rich in money and orders", []wallet{{"Main", "9000.00"}}},
	{"buyer3", "陈子墨", "two wallets, a cart", []wallet{{"家用 Household", "4000.00"}, {"摄影 Photography", "5000.00"}}},
	{"buyer4", "Lucas Meyer", "an order that waits for money", []wallet{{"Main", "600.00"}}},
	{"buyer5", "周小满", "pocket money, an order too dear", []wallet{{"零花钱 Pocket money", "120.00"}}},
}

// group is what belongs together in the market.
type group struct {
	name   string // the last line of every description, so that a search finds the group
	seller string // login
	light  uint32 // the background of its pictures, 0xRRGGBB, from the light corner …
	deep   uint32 // … to the deep one
	goods  []product
}

// product is an offer. Its name is that of its picture, and tells it from all others.
type product struct {
	name  string
	emoji string // code point of the picture's motif, as the emoji set names its files
	title string // Chinese · English
	price string // CNY
	stock int64
	zh    string // description
	en    string
}

var groups = []group{fruit, garden, bakery, drinks, home, desk, devices, outdoors}

// listed is all products in the order in which they come to market: by turns, so that
// the first page has something of every group.
func listed() []offer {
	var all []offer
	for i := range slices.MaxFunc(groups, func(a, b group) int { return len(a.goods) - len(b.goods) }).goods {
		for _, g := range groups {
			if i < len(g.goods) {
				all = append(all, offer{g.goods[i], g})
			}
		}
	}
	return all
}

// offer is a product with its group.
type offer struct {
	product
	group group
}

func (o offer) description() string { return o.zh + "\n\n" + o.en + "\n\n" + o.group.name }

// purchase is an order of the demo market.
type purchase struct {
	buyer string // login
	days  int    // ago
	items []item
	end   string // shopclient.Paid, Canceled, or Pending where the wallet has too little
}

type item struct {
	product string
	pieces  int64
}
