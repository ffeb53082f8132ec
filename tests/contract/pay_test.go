package contract_test

import "testing"

func (w *world) wallets(t *testing.T) {
	const wallets, topups = "<pay>/wallets", "<pay>/topups"
	w.do(t,
		call{name: "before there is one", as: "bob", method: "GET", path: wallets, status: 200, want: `{"items":[]}`},
		call{name: "empty, by no body at all", as: "bob", method: "POST", path: wallets,
			status: 201, want: `{"balance":{"amount":"0.00","currency":"CNY"},"default":true}`, keep: "empty"},
		call{name: "with a name and money", as: "bob", method: "POST", path: wallets,
			body:   `{"name":"菜 money","amount":"100.5","currency":"CNY"}`,
			status: 201, want: `{"name":"菜 money","balance":{"amount":"100.50"},"available":{"amount":"100.50"},"default":false}`, keep: "wallet"},
		call{name: "the amount as answers have it", as: "ann", method: "POST", path: wallets,
			body:   `{"amount":{"amount":"3","currency":"CNY"}}`,
			status: 201, want: `{"balance":{"amount":"3.00"}}`, keep: "ann's wallet"},
		call{name: "another currency", as: "bob", method: "POST", path: wallets,
			body: `{"currency":"USD"}`, status: 422, code: "pay.currency", field: "currency"},
		call{name: "a name of 41 characters", as: "bob", method: "POST", path: wallets,
			body: `{"name":"` + long(41) + `"}`, status: 422, code: "pay.wallet_name", field: "name"},
		call{name: "one", as: "bob", method: "GET", path: wallets + "/<wallet>", status: 200, want: `{"id":"<wallet>"}`},
		call{name: "none", as: "bob", method: "GET", path: wallets + "/wal_00000000000000000000000000",
			status: 404, code: "pay.wallet_not_found", field: "wallet"},
		call{name: "an id of another kind", as: "bob", method: "GET", path: wallets + "/<bob>",
			status: 404, code: "pay.wallet_not_found", field: "wallet"},
		call{name: "renamed and the default one", as: "bob", method: "PATCH", path: wallets + "/<wallet>",
			body: `{"name":"Pocket","default":true}`, status: 200, want: `{"name":"Pocket","default":true}`},
		call{name: "so the other one isn't", as: "bob", method: "GET", path: wallets + "/<empty>", status: 200, want: `{"default":false}`},
		call{name: "no default at all", as: "bob", method: "PATCH", path: wallets + "/<wallet>",
			body: `{"default":false}`, status: 422, code: "request.invalid", field: "default"},
		call{name: "a change of none", as: "bob", method: "PATCH", path: wallets + "/wal_none",
			body: `{"name":"x"}`, status: 404, code: "pay.wallet_not_found", field: "wallet"},

		call{name: "money", as: "bob", method: "POST", path: topups, body: `{"wallet":"<wallet>","amount":"0.5"}`,
			status: 201, want: `{"wallet":"<wallet>","amount":{"amount":"0.50","currency":"CNY"},"state":"succeeded"}`, keep: "topup"},
		call{name: "one of them", as: "bob", method: "GET", path: topups + "/<topup>", status: 200, want: `{"id":"<topup>","amount":{"amount":"0.50"}}`},
		call{name: "none of them", as: "bob", method: "GET", path: topups + "/top_none", status: 404, code: "pay.no_topup"},
		call{name: "all of them", as: "bob", method: "GET", path: wallets + "/<wallet>/topups", status: 200,
			want: `{"items":[{"id":"<topup>"},{"amount":{"amount":"100.50"},"state":"succeeded"}]}`},
		call{name: "those of no wallet", as: "bob", method: "GET", path: wallets + "/wal_none/topups", status: 404, code: "pay.wallet_not_found", field: "wallet"},
		call{name: "what can be topped up", as: "bob", method: "GET", path: "<pay>/terms", status: 200, want: `{"currency":"CNY","topups":{"on":true,"play":true}}`},
		call{name: "no wallet", as: "bob", method: "POST", path: topups, body: `{"amount":"1"}`,
			status: 422, code: "request.invalid", field: "wallet"},
		call{name: "a wallet that is none", as: "bob", method: "POST", path: topups, body: `{"wallet":"wal_none","amount":"1"}`,
			status: 404, code: "pay.wallet_not_found", field: "wallet"},
		call{name: "another currency", as: "bob", method: "POST", path: topups,
			body:   `{"wallet":"<wallet>","amount":{"amount":"1","currency":"USD"}}`,
			status: 422, code: "money.currency", field: "amount"},
		call{name: "statement", as: "bob", method: "GET", path: wallets + "/<wallet>/entries", status: 200,
			want: `{"items":[{"kind":"topup","amount":{"amount":"0.50"},"balance":{"amount":"101.00"}},{"kind":"topup","amount":{"amount":"100.50"}}]}`},
		call{name: "statement as a file", as: "bob", method: "GET", path: wallets + "/<wallet>/entries.csv?from=2026-01-01T00:00:00Z", status: 200},
		call{name: "no file of none", as: "bob", method: "GET", path: wallets + "/wal_none/entries.csv",
			status: 404, code: "pay.wallet_not_found", field: "wallet"},
		call{name: "a file from no time", as: "bob", method: "GET", path: wallets + "/<wallet>/entries.csv?from=yesterday",
			status: 422, code: "request.invalid", field: "from"},
		call{name: "before it was there", as: "bob", method: "GET", path: wallets + "/<wallet>/balance?at=2026-01-01T00:00:00Z",
			status: 200, want: `{"at":"2026-01-01T00:00:00Z","balance":{"amount":"0.00"},"available":{"amount":"0.00"}}`},
		call{name: "what none had", as: "bob", method: "GET", path: wallets + "/wal_none/balance?at=2026-01-01T00:00:00Z",
			status: 404, code: "pay.wallet_not_found", field: "wallet"},
		call{name: "statement of none", as: "bob", method: "GET", path: wallets + "/wal_none/entries",
			status: 404, code: "pay.wallet_not_found", field: "wallet"},
	)
	for amount, code := range map[string]string{
		"0": "pay.topup_range", "0.001": "money.malformed", "-1": "money.malformed", "1e3": "money.malformed", "12,5": "money.malformed",
		"": "money.malformed", "99999999999999999999": "money.range", "9999999999": "pay.topup_range", "१२": "money.malformed",
	} {
		w.do(t, call{name: "top up " + amount, as: "bob", method: "POST", path: topups,
			body: `{"wallet":"<wallet>","amount":"` + amount + `"}`, status: 422, code: code, field: "amount"})
		if amount != "0" { // a wallet may begin without money
			w.do(t, call{name: "a wallet with " + amount, as: "bob", method: "POST", path: wallets,
				body: `{"amount":"` + amount + `"}`, status: 422, code: code, field: "amount"})
		}
	}
	w.do(t, call{name: "nothing of this happened", as: "bob", method: "GET", path: wallets, status: 200,
		want: `{"items":[{"balance":{"amount":"0.00"}},{"balance":{"amount":"101.00"}}]}`})
}

func (w *world) payments(t *testing.T) {
	const payments = "<pay>/payments"
	pay := func(order, amount string) string {
		return `{"order":"` + order + `","parties":[{"payee":"<ann>","amount":"` + amount + `"}]}`
	}
	w.do(t,
		call{name: "paid at once", as: "bob", method: "POST", path: payments, body: pay("mine-1", "1"),
			status: 201, want: `{"order":"mine-1","merchant":"cli","payer":"<bob>","state":"captured","captured":{"amount":"1.00"},"wallet":"<wallet>","parties":[{"payee":"<ann>"}]}`, keep: "payment"},
		call{name: "asked again", as: "bob", method: "POST", path: payments, body: pay("mine-1", "1"), status: 201, want: `{"id":"<payment>","state":"captured"}`},
		call{name: "asked again for other money", as: "bob", method: "POST", path: payments, body: pay("mine-1", "2"), status: 409, code: "pay.mismatch"},
		call{name: "more than there is", as: "bob", method: "POST", path: payments, body: pay("mine-2", "1000"),
			status: 402, code: "pay.insufficient", want: `{"available":{"amount":"100.00"},"missing":{"amount":"900.00"}}`},
		call{name: "without a wallet", as: "carl", method: "POST", path: payments, body: pay("carls-1", "3"),
			status: 402, code: "pay.no_wallet", want: `{"missing":{"amount":"3.00"}}`},
		call{name: "from a wallet that is none", as: "bob", method: "POST", path: payments,
			body:   `{"order":"mine-3","wallet":"wal_none","parties":[{"payee":"<ann>","amount":"1"}]}`,
			status: 404, code: "pay.wallet_not_found", field: "wallet"},
		call{name: "to nobody", as: "bob", method: "POST", path: payments, body: `{"order":"mine-3","parties":[]}`,
			status: 422, code: "request.invalid", field: "parties"},
		call{name: "to somebody twice", as: "bob", method: "POST", path: payments,
			body:   `{"order":"mine-3","parties":[{"payee":"<ann>","amount":"1"},{"payee":"<ann>","amount":"1"}]}`,
			status: 422, code: "pay.parties", field: "parties"},
		call{name: "of nothing", as: "bob", method: "POST", path: payments, body: pay("mine-3", "0"), status: 422, code: "pay.parties", field: "parties"},
		call{name: "of a negative amount", as: "bob", method: "POST", path: payments, body: pay("mine-3", "-1"), status: 422, code: "money.malformed", field: "parties"},
		call{name: "for an order with a space", as: "bob", method: "POST", path: payments, body: pay("mine 3", "1"), status: 422, code: "pay.order", field: "order"},
		call{name: "until a time too far away", as: "bob", method: "POST", path: payments,
			body:   `{"order":"mine-3","expires_at":"2099-01-01T00:00:00Z","parties":[{"payee":"<ann>","amount":"1"}]}`,
			status: 422, code: "pay.expiry", field: "expires_at"},
		call{name: "over already", as: "bob", method: "POST", path: payments,
			body:   `{"order":"mine-4","expires_at":"2001-01-01T00:00:00Z","parties":[{"payee":"<ann>","amount":"1"}]}`,
			status: 422, code: "pay.expiry", field: "expires_at"},

		call{name: "one", as: "bob", method: "GET", path: payments + "/<payment>", status: 200, want: `{"id":"<payment>"}`},
		call{name: "none", as: "bob", method: "GET", path: payments + "/pay_none", status: 404, code: "pay.no_payment"},
		call{name: "by its order", as: "bob", method: "GET", path: payments + "?order=mine-1", status: 200, want: `{"id":"<payment>"}`},
		call{name: "by no order", as: "bob", method: "GET", path: payments, status: 422, code: "request.invalid", field: "order"},
		call{name: "by an order that is none", as: "bob", method: "GET", path: payments + "?order=nothing", status: 404, code: "pay.no_payment"},

		call{name: "at the cashier", as: "bob", method: "GET", path: payments + "/<payment>/checkout", status: 200, want: `{"payment":{"id":"<payment>"}}`},
		call{name: "none at the cashier", as: "bob", method: "GET", path: payments + "/pay_none/checkout", status: 404, code: "pay.no_payment"},
		call{name: "pay what is captured", as: "bob", method: "POST", path: payments + "/<payment>/pay", status: 200, want: `{"id":"<payment>","state":"captured"}`},
		call{name: "pay none", as: "bob", method: "POST", path: payments + "/pay_none/pay", status: 404, code: "pay.no_payment"},
		call{name: "pay from a wallet that is none", as: "bob", method: "POST", path: payments + "/<payment>/pay", body: `{"wallet":"wal_none"}`,
			status: 404, code: "pay.wallet_not_found", field: "wallet"},

		call{name: "close what is captured", as: "bob", method: "POST", path: payments + "/<payment>/close", status: 200, want: `{"state":"captured"}`},
		call{name: "close none", as: "bob", method: "POST", path: payments + "/pay_none/close", status: 404, code: "pay.no_payment"},
		call{name: "close what waits for money", as: "bob", method: "POST", path: "<pay>/orders/mine-2/close",
			status: 200, want: `{"order":"mine-2","state":"closed","captured":{"amount":"0.00"}}`},
		call{name: "pay what is closed", as: "bob", method: "POST", path: payments, body: pay("mine-2", "1000"), status: 409, code: "pay.closed"},
		call{name: "close what nobody has asked for yet", as: "bob", method: "POST", path: "<pay>/orders/mine-5/close",
			status: 200, want: `{"order":"mine-5","state":"closed"}`},
		call{name: "ask for it then", as: "bob", method: "POST", path: payments, body: pay("mine-5", "1"), status: 409, code: "pay.closed"},
		call{name: "close an order that can be none", as: "bob", method: "POST", path: "<pay>/orders/mine%205/close",
			status: 422, code: "pay.order", field: "order"},
		call{name: "one payment was made", as: "bob", method: "GET", path: "<pay>/wallets/<wallet>", status: 200, want: `{"balance":{"amount":"100.00"}}`},
	)
}
