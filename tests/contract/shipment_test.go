package contract_test

import "testing"

// shipment buys a vase for Dina, and keeps the ids of the order and of its shipment.
func (w *world) shipment(t *testing.T, order, shipment string) {
	t.Helper()
	w.do(t, call{name: "buy", as: "dina", method: "POST", path: "<shop>/orders", body: `{"items":[{"product":"<vase>","quantity":1}]}`, status: 201, want: `{"state":"paid"}`, keep: order})
	a := w.one(t, call{name: "what is to be sent", as: "dina", method: "GET", path: "<shop>/orders/<" + order + ">", status: 200,
		want: `{"shipments":[{"state":"waiting","seller":{"id":"<ann>"},"amount":{"amount":"20.00"},"refunded":{"amount":"0.00"},"actions":["refunds"]}],"history":[{"what":"order.pending"},{"what":"order.paid"}]}`})
	if all, _ := a.document["shipments"].([]any); len(all) == 1 {
		w.thing[shipment], _ = all[0].(map[string]any)["id"].(string)
	}
}

func (w *world) shipments(t *testing.T) {
	const shipments, parcel = "<shop>/shipments", "<shop>/shipments/<parcel>"
	w.do(t,
		call{name: "a vase", as: "ann", method: "POST", path: "<shop>/products", body: `{"title":"Vase","price":"20","stock":30}`, status: 201, keep: "vase"},
		call{name: "a wallet", as: "dina", method: "POST", path: "<pay>/wallets", body: `{"amount":"500"}`, status: 201},
	)
	w.shipment(t, "dinas", "parcel")
	w.do(t,
		call{name: "what the seller has to send", as: "ann", method: "GET", path: "<shop>/orders?role=seller&shipment=waiting&limit=1", status: 200,
			want: `{"items":[{"id":"<dinas>","total":{"amount":"20.00"},"shipments":[{"id":"<parcel>","actions":["ship","give-back"]}]}]}`},
		call{name: "in a state that there isn't", as: "ann", method: "GET", path: "<shop>/orders?role=seller&shipment=lost", status: 422, code: "request.invalid", field: "shipment"},
		call{name: "the buyer does not send it", as: "dina", method: "POST", path: parcel + "/ship", body: `{"carrier":"SF","tracking":"1"}`, status: 403, code: "forbidden"},
		call{name: "nor does a stranger", as: "bob", method: "POST", path: parcel + "/ship", body: `{"carrier":"SF","tracking":"1"}`, status: 404, code: "shop.no_shipment"},
		call{name: "without a number", as: "ann", method: "POST", path: parcel + "/ship", body: `{"carrier":"SF","tracking":" "}`, status: 422, code: "shop.tracking", field: "tracking"},
		call{name: "with a carrier like a novel", as: "ann", method: "POST", path: parcel + "/ship", body: `{"carrier":"` + long(61) + `","tracking":"1"}`, status: 422, code: "shop.carrier", field: "carrier"},
		call{name: "receive what was not sent", as: "dina", method: "POST", path: parcel + "/receive", status: 409, code: "shop.shipment_state"},
		call{name: "send it", as: "ann", method: "POST", path: parcel + "/ship", body: `{"carrier":"顺丰","tracking":"SF1"}`, status: 200,
			want: `{"state":"paid","shipments":[{"state":"shipped","carrier":"顺丰","tracking":"SF1"}]}`},
		call{name: "again", as: "ann", method: "POST", path: parcel + "/ship", body: `{"carrier":"顺丰","tracking":"SF1"}`, status: 200},
		call{name: "in another way", as: "ann", method: "POST", path: parcel + "/ship", body: `{"carrier":"Post","tracking":"SF1"}`, status: 409, code: "shop.shipment_state"},
		call{name: "what was sent can't be called off", as: "ann", method: "POST", path: parcel + "/give-back", body: `{"reason":"x"}`, status: 409, code: "shop.shipment_state"},
		call{name: "the seller does not receive it", as: "ann", method: "POST", path: parcel + "/receive", status: 403, code: "forbidden"},
		call{name: "receive it", as: "dina", method: "POST", path: parcel + "/receive", status: 200,
			want: `{"state":"completed","shipments":[{"state":"received","actions":["refunds"]}],"history":[{"what":"order.pending"},{"what":"order.paid"},{"what":"shipment.shipped","by":"seller"},{"what":"shipment.received","by":"buyer"},{"what":"order.completed"}]}`},
		call{name: "again", as: "dina", method: "POST", path: parcel + "/receive", status: 200},
		call{name: "none", as: "dina", method: "POST", path: shipments + "/shp_none/receive", status: 404, code: "shop.no_shipment"},
	)
	w.shipment(t, "called off", "unsent")
	w.do(t,
		call{name: "without a reason", as: "ann", method: "POST", path: shipments + "/<unsent>/give-back", body: `{"reason":""}`, status: 422, code: "shop.reason", field: "reason"},
		call{name: "call it off", as: "ann", method: "POST", path: shipments + "/<unsent>/give-back", body: `{"reason":"It broke."}`, status: 200,
			want: `{"state":"completed","shipments":[{"state":"refunded","refunded":{"amount":"20.00"},"refunds":[{"state":"granted","reason":"It broke."}]}]}`},
		call{name: "it is on sale again", method: "GET", path: "<shop>/products/<vase>", status: 200, want: `{"stock":29}`},
	)
}

func (w *world) refunds(t *testing.T) {
	const shipments, refund = "<shop>/shipments/<second>", "<shop>/refunds/<refund>"
	w.shipment(t, "seconds", "second")
	ask := func(name, as, body string, status int, code, field string) call {
		return call{name: name, as: as, method: "POST", path: shipments + "/refunds", body: body, status: status, code: code, field: field}
	}
	w.do(t,
		ask("no reason", "dina", `{"reason":""}`, 422, "shop.reason", "reason"),
		ask("more than it cost", "dina", `{"reason":"x","amount":"20.01"}`, 422, "shop.refund_amount", "amount"),
		ask("no amount at all", "dina", `{"reason":"x","amount":"much"}`, 422, "money.malformed", "amount"),
		ask("the seller asks", "ann", `{"reason":"x"}`, 403, "forbidden", ""),
		ask("a stranger asks", "bob", `{"reason":"x"}`, 404, "shop.no_shipment", ""),
		call{name: "ask for a part", as: "dina", method: "POST", path: shipments + "/refunds", body: `{"reason":"A scratch.","amount":"5"}`, status: 201, keep: "refund",
			want: `{"order":"<seconds>","shipment":"<second>","state":"asked","amount":{"amount":"5.00"},"reason":"A scratch.","actions":["withdraw"]}`},
		ask("and for more at once", "dina", `{"reason":"x"}`, 409, "shop.refund_open", ""),
		call{name: "it is not sent meanwhile", as: "ann", method: "POST", path: shipments + "/ship", body: `{"carrier":"SF","tracking":"1"}`, status: 409, code: "shop.refund_open"},
		call{name: "the buyer grants it", as: "dina", method: "POST", path: refund + "/grant", status: 403, code: "forbidden"},
		call{name: "a stranger grants it", as: "bob", method: "POST", path: refund + "/grant", status: 404, code: "shop.no_refund"},
		call{name: "the seller withdraws it", as: "ann", method: "POST", path: refund + "/withdraw", status: 403, code: "forbidden"},
		call{name: "too early for the operator", as: "dina", method: "POST", path: refund + "/appeal", status: 409, code: "shop.refund_state"},
		call{name: "no without a word", as: "ann", method: "POST", path: refund + "/refuse", body: `{"answer":""}`, status: 422, code: "shop.answer", field: "answer"},
		call{name: "no", as: "ann", method: "POST", path: refund + "/refuse", body: `{"answer":"It was whole."}`, status: 200,
			want: `{"shipments":[{"state":"waiting","refunds":[{"state":"refused","answer":"It was whole."}]}]}`},
		call{name: "yes, too late", as: "ann", method: "POST", path: refund + "/grant", status: 409, code: "shop.refund_state"},
		call{name: "to the operator", as: "dina", method: "POST", path: refund + "/appeal", status: 200, want: `{"shipments":[{"refunds":[{"state":"appealed","actions":["withdraw"]}]}]}`},
		call{name: "cases are not the seller's", as: "ann", method: "GET", path: "<shop>/cases", status: 403, code: "forbidden"},
		call{name: "they are the operator's", as: "olga", method: "GET", path: "<shop>/cases", status: 200, want: `{"items":[{"id":"<refund>","order":"<seconds>","actions":["decide"]}]}`},
		call{name: "what shop and pay don't agree on", as: "olga", method: "GET", path: "<shop>/findings?state=open", status: 200, want: `{"items":[]}`},
		call{name: "in a state that there isn't", as: "olga", method: "GET", path: "<shop>/findings?state=lost", status: 422, code: "request.invalid", field: "state"},
		call{name: "findings are not the seller's", as: "ann", method: "GET", path: "<shop>/findings", status: 403, code: "forbidden"},
		call{name: "who sees the order", as: "olga", method: "GET", path: "<shop>/orders/<seconds>", status: 200, want: `{"id":"<seconds>"}`},
		call{name: "the seller decides", as: "ann", method: "POST", path: refund + "/decide", body: `{"grant":false,"answer":"No."}`, status: 403, code: "forbidden"},
		call{name: "without a word", as: "olga", method: "POST", path: refund + "/decide", body: `{"grant":true,"answer":""}`, status: 422, code: "shop.answer", field: "answer"},
		call{name: "decided", as: "olga", method: "POST", path: refund + "/decide", body: `{"grant":true,"answer":"The picture shows it."}`, status: 200,
			want: `{"shipments":[{"state":"waiting","refunded":{"amount":"5.00"},"refunds":[{"state":"granted","decision":"The picture shows it."}]}]}`},
		call{name: "no case is left", as: "olga", method: "GET", path: "<shop>/cases", status: 200, want: `{"items":[]}`},
		call{name: "more than is left", as: "dina", method: "POST", path: shipments + "/refunds", body: `{"reason":"x","amount":"15.01"}`, status: 422, code: "shop.refund_amount", field: "amount"},
		call{name: "the rest", as: "dina", method: "POST", path: shipments + "/refunds", body: `{"reason":"x"}`, status: 201, keep: "rest", want: `{"amount":{"amount":"15.00"}}`},
		call{name: "taken back", as: "dina", method: "POST", path: "<shop>/refunds/<rest>/withdraw", status: 200, want: `{"shipments":[{"state":"waiting"}]}`},
		call{name: "asked for again", as: "dina", method: "POST", path: shipments + "/refunds", body: `{"reason":"x"}`, status: 201, keep: "rest"},
		call{name: "granted", as: "ann", method: "POST", path: "<shop>/refunds/<rest>/grant", status: 200, want: `{"state":"completed","shipments":[{"state":"refunded"}]}`},
		call{name: "again", as: "ann", method: "POST", path: "<shop>/refunds/<rest>/grant", status: 200},
	)
}
