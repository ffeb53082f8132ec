package shopclient

import "jishi/kit/fault"

// What shop refuses. Members beyond the usual ones are named where they are.
var (
	ErrTitle       = fault.New(fault.Invalid, "shop.title", "A title has 1 to 120 characters, none of them invisible.").On("title")
	ErrDescription = fault.New(fault.Invalid, "shop.description", "A description has at most 10,000 characters.").On("description")
	ErrPrice       = fault.New(fault.Invalid, "shop.price", "A price is more than 0 and at most 1,000,000.").On("price")
	ErrStock       = fault.New(fault.Invalid, "shop.stock", "A stock is a whole number from 0 to 1,000,000.").On("stock")
	ErrImage       = fault.New(fault.Invalid, "shop.image", "A picture's address begins with http:// or https:// and has at most 2,000 characters.").On("image")
	ErrUploads     = fault.New(fault.Limited, "shop.uploads", "You have uploaded many pictures within the hour. Please go on a little later.").On("image")
	ErrQuantity    = fault.New(fault.Invalid, "shop.quantity", "A quantity is a whole number from 1 to 999.").On("quantity")

	ErrNoProduct  = fault.New(fault.NotFound, "shop.no_product", "There is no such product any more.")
	ErrNotSeller  = fault.New(fault.Forbidden, "shop.not_seller", "Only its seller may change a product.")
	ErrStale      = fault.New(fault.Stale, "shop.stale", "The product was changed since you looked at it. Please look again.")
	ErrStockTaken = fault.New(fault.Conflict, "shop.stock_taken", "Some of these pieces have been sold in the meantime. Please look again.").On("stock") // available

	ErrCartFull    = fault.New(fault.Conflict, "shop.cart_full", "A cart holds at most 100 products.")
	ErrGuestFull   = fault.New(fault.Conflict, "shop.guest_full", "Without login a cart holds at most 40 products. Please log in to add more.")
	ErrCartEmpty   = fault.New(fault.Conflict, "shop.cart_empty", "There is nothing in the cart.")
	ErrCartChanged = fault.New(fault.Conflict, "shop.cart_changed", "The cart has changed since you looked at it. Please look again.")

	// ErrSoldOut, ErrUnavailable and ErrPriceChanged carry product and title; the first
	// one also available and wanted, the last one also price and seen.
	ErrSoldOut      = fault.New(fault.Conflict, "shop.sold_out", "There are not enough pieces of a product left.").On("quantity")
	ErrUnavailable  = fault.New(fault.Conflict, "shop.unavailable", "A product is not sold any more.")
	ErrPriceChanged = fault.New(fault.Conflict, "shop.price_changed", "The price of a product has changed since you looked at it.")

	ErrItems      = fault.New(fault.Invalid, "shop.items", "An order has 1 to 100 products, each of them once.").On("items")
	ErrNoOrder    = fault.New(fault.NotFound, "shop.no_order", "You have no such order.")
	ErrWrongState = fault.New(fault.Conflict, "shop.wrong_state", "The order's present state does not allow this.")

	// ErrOpenOrders carries limit, ErrOpenPieces product, title, limit, and held: what the
	// buyer's unpaid orders hold already.
	ErrOpenOrders = fault.New(fault.Conflict, "shop.open_orders", "You have as many unpaid orders as one can have. Please pay or cancel one of them first.")
	ErrOpenPieces = fault.New(fault.Conflict, "shop.open_pieces", "Your unpaid orders would hold more of a product than they may. Please order fewer, or pay the others first.").On("quantity")

	ErrNoShipment    = fault.New(fault.NotFound, "shop.no_shipment", "You have no such shipment.")
	ErrShipmentState = fault.New(fault.Conflict, "shop.shipment_state", "The shipment's present state does not allow this.")
	ErrCarrier       = fault.New(fault.Invalid, "shop.carrier", "A carrier's name has 1 to 60 characters, none of them invisible.").On("carrier")
	ErrTracking      = fault.New(fault.Invalid, "shop.tracking", "A tracking number has 1 to 60 characters, none of them invisible.").On("tracking")

	ErrNoRefund       = fault.New(fault.NotFound, "shop.no_refund", "There is no such refund of yours.")
	ErrRefundState    = fault.New(fault.Conflict, "shop.refund_state", "The refund's present state does not allow this.")
	ErrRefundOpen     = fault.New(fault.Conflict, "shop.refund_open", "A refund of this shipment waits for an answer; nothing else can be done with it meanwhile.")
	ErrRefundWindow   = fault.New(fault.Conflict, "shop.refund_window", "The time to ask for a refund of this shipment is over.")
	ErrRefundRequests = fault.New(fault.Conflict, "shop.refund_requests", "There have been as many requests for a refund of this shipment as there can be.")
	ErrNoOperator     = fault.New(fault.Conflict, "shop.no_operator", "This market has no operator who could decide. Please agree with the seller.")
	ErrRefundAmount   = fault.New(fault.Invalid, "shop.refund_amount", "A refund is more than 0 and at most what is left of the shipment's amount.").On("amount")
	ErrReason         = fault.New(fault.Invalid, "shop.reason", "A reason has 1 to 200 characters, none of them invisible.").On("reason")
	ErrAnswer         = fault.New(fault.Invalid, "shop.answer", "Please say why, in 1 to 200 characters, none of them invisible.").On("answer")

	// ErrUnpaid says that an order stands but is not paid yet; order is its id, and
	// available, missing and checkout_url are what pay said.
	ErrUnpaid = fault.New(fault.Unpaid, "shop.unpaid", "The order is placed, but there is too little money in the wallet to pay it.")
)
