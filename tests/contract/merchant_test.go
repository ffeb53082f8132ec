package contract_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"jishi/tests/harness"
)

// settled is the payment of one of Dina's orders, of which the shop has released or
// refunded something, and what that was, as it is asked for.
func (w *world) settled(t *testing.T, order, list string) string {
	t.Helper()
	w.do(t, call{name: "the payment of " + order, as: "shop", method: "GET", path: "<pay>/payments?order=<" + order + ">", status: 200,
		want: `{"state":"captured","merchant":"shop"}`, keep: "payment of " + order})
	var asked []byte
	harness.Eventually(t, 20*time.Second, func() error { // the shop's job
		a := w.one(t, call{name: list, as: "shop", method: "GET", path: "<pay>/payments/<payment of " + order + ">/" + list, status: 200})
		items, _ := a.document["items"].([]any)
		if len(items) == 0 {
			return fmt.Errorf("no %s of %s", list, order)
		}
		item, _ := items[0].(map[string]any)
		again := map[string]any{}
		for _, member := range []string{"id", "payee", "amount", "reason"} {
			if v, there := item[member]; there {
				again[member] = v
			}
		}
		var err error
		asked, err = json.Marshal(again)
		return err
	})
	return string(asked)
}

// merchant does what only the shop on its own behalf may do.
func (w *world) merchant(t *testing.T) {
	w.token["shop"] = w.market.Merchant(t)
	release, refund := w.settled(t, "dinas", "releases"), w.settled(t, "called off", "refunds")
	dinas := w.thing["dinas"]
	w.thing["before dinas"] = dinas[:len(dinas)-1]
	const released, refunded = "<pay>/payments/<payment of dinas>", "<pay>/payments/<payment of called off>"
	w.do(t,
		call{name: "the same release again", as: "shop", method: "POST", path: released + "/releases", body: release, status: 201,
			want: `{"order":"<dinas>","payee":"<ann>","amount":{"amount":"20.00"},"fee":{"amount":"0.00"},"net":{"amount":"20.00"}}`},
		call{name: "what was paid for", as: "shop", method: "GET", path: "<pay>/merchant/payments?up_to=<dinas>&limit=1", status: 200, want: `{"items":[{"merchant":"shop"}]}`},
		call{name: "for one order", as: "shop", method: "GET", path: "<pay>/merchant/payments?after=<before dinas>&up_to=<dinas>", status: 200,
			want: `{"items":[{"id":"<payment of dinas>","order":"<dinas>","parties":[{"released":{"amount":"20.00"}}]}]}`},
		call{name: "with a cursor that is none", as: "shop", method: "GET", path: "<pay>/merchant/payments?cursor=nonsense", status: 422, code: "page.cursor", field: "cursor"},
		call{name: "what was paid for, asked by the buyer", as: "dina", method: "GET", path: "<pay>/merchant/payments", status: 403, code: "forbidden"},
		call{name: "there is nothing left", as: "shop", method: "POST", path: released + "/releases", body: `{"id":"more","payee":"<ann>"}`,
			status: 409, code: "pay.too_much", field: "amount", want: `{"left":{"amount":"0.00"}}`},
		call{name: "of nobody's share", as: "shop", method: "POST", path: released + "/releases", body: `{"id":"more","payee":"<bob>"}`, status: 404, code: "pay.no_party", field: "payee"},
		call{name: "of nothing", as: "shop", method: "POST", path: released + "/releases", body: `{"id":"more","payee":"<ann>","amount":"0"}`, status: 422, code: "pay.amount", field: "amount"},
		call{name: "with an id that is none", as: "shop", method: "POST", path: released + "/releases", body: `{"id":"a b","payee":"<ann>"}`, status: 422, code: "pay.reference", field: "id"},
		call{name: "by the buyer", as: "dina", method: "POST", path: released + "/releases", body: release, status: 403, code: "forbidden"},
		call{name: "seen by the buyer", as: "dina", method: "GET", path: released + "/releases", status: 403, code: "forbidden"},
		call{name: "the same refund again", as: "shop", method: "POST", path: refunded + "/refunds", body: refund, status: 201,
			want: `{"order":"<called off>","payee":"<ann>","amount":{"amount":"20.00"},"from":"escrow"}`},
		call{name: "more than there was", as: "shop", method: "POST", path: refunded + "/refunds", body: `{"id":"more","payee":"<ann>"}`, status: 409, code: "pay.too_much", field: "amount"},
		call{name: "for a novel of a reason", as: "shop", method: "POST", path: refunded + "/refunds", body: `{"id":"more","payee":"<ann>","reason":"` + long(201) + `"}`,
			status: 422, code: "pay.reason", field: "reason"},
		call{name: "by the seller", as: "ann", method: "POST", path: refunded + "/refunds", body: refund, status: 403, code: "forbidden"},
		call{name: "seen by the seller", as: "ann", method: "GET", path: refunded + "/refunds", status: 403, code: "forbidden"},
		call{name: "what became of the payment", as: "dina", method: "GET", path: refunded, status: 200,
			want: `{"captured":{"amount":"20.00"},"refunded":{"amount":"20.00"},"released":{"amount":"0.00"},"parties":[{"payee":"<ann>","refunded":{"amount":"20.00"}}]}`},
		call{name: "capture what is captured", as: "shop", method: "POST", path: released + "/capture", status: 200, want: `{"state":"captured","captured":{"amount":"20.00"}}`},
		call{name: "capture less of it", as: "shop", method: "POST", path: released + "/capture", body: `{"parties":[{"payee":"<ann>","amount":"1"}]}`, status: 409, code: "pay.mismatch"},
		call{name: "capture none", as: "shop", method: "POST", path: "<pay>/payments/pay_none/capture", status: 404, code: "pay.no_payment"},
		call{name: "the payer captures", as: "dina", method: "POST", path: released + "/capture", status: 403, code: "forbidden"},
	)

	const program = "<pay>/payments/<payment>" // Bob's, with a token of his own
	w.do(t,
		call{name: "its payer gives it on", as: "bob", method: "POST", path: program + "/releases", body: `{"id":"all","payee":"<ann>"}`,
			status: 201, want: `{"order":"mine-1","payee":"<ann>","amount":{"amount":"1.00"}}`},
		call{name: "and takes nothing back from who got it", as: "bob", method: "POST", path: program + "/refunds", body: `{"id":"more","payee":"<ann>"}`,
			status: 409, code: "pay.too_much", field: "amount", want: `{"left":{"amount":"0.00"}}`},
	)

	const webhooks = "<pay>/webhooks"
	hook := call{name: "a webhook", as: "shop", method: "POST", path: webhooks, key: "hook", body: `{"url":"https://receiver.invalid/hook"}`,
		status: 201, want: `{"url":"https://receiver.invalid/hook","disabled":false}`, keep: "webhook"}
	first := w.one(t, hook)
	if again := w.one(t, hook); again.document["secret"] != first.document["secret"] || first.document["secret"] == nil {
		t.Errorf("the same key: %v, then %v", first.document, again.document)
	}
	rotate := call{name: "a new secret", as: "shop", method: "POST", path: webhooks + "/<webhook>/rotate", key: "rotate", status: 200, want: `{"id":"<webhook>"}`}
	rotated := w.one(t, rotate)
	if again := w.one(t, rotate); again.document["secret"] != rotated.document["secret"] || rotated.document["secret"] == first.document["secret"] {
		t.Errorf("a new secret: %v, then %v", rotated.document, again.document)
	}
	w.do(t,
		call{name: "another one with its key", as: "shop", method: "POST", path: webhooks, key: "hook", body: `{"url":"https://other.invalid/"}`, status: 422, code: "idempotency.mismatch"},
		call{name: "without TLS", as: "shop", method: "POST", path: webhooks, body: `{"url":"http://receiver.invalid/hook"}`, status: 422, code: "pay.webhook_url", field: "url"},
		call{name: "a user's", as: "bob", method: "POST", path: webhooks, body: `{"url":"https://receiver.invalid/hook"}`, status: 403, code: "forbidden"},
		call{name: "all", as: "shop", method: "GET", path: webhooks, status: 200, want: `{"items":[{"id":"<webhook>"}]}`},
		call{name: "all of a user's", as: "bob", method: "GET", path: webhooks, status: 403, code: "forbidden"},
		call{name: "a new secret of none", as: "shop", method: "POST", path: webhooks + "/whk_none/rotate", status: 404, code: "pay.no_webhook"},
		call{name: "end it", as: "shop", method: "DELETE", path: webhooks + "/<webhook>", status: 204},
		call{name: "end it again", as: "shop", method: "DELETE", path: webhooks + "/<webhook>", status: 404, code: "pay.no_webhook"},
		call{name: "none is left", as: "shop", method: "GET", path: webhooks, status: 200, want: `{"items":[]}`},
	)
}
