package shopapi

import (
	"log/slog"
	"net/http"
	"time"

	"jishi/kit/fault"
	"jishi/kit/ops"
	"jishi/kit/web"
	"jishi/pay/payclient"
	"jishi/shop"
)

// maxEvent is bytes of a webhook: several times those of the longest event, that of a payment
// with as many parties as there can be.
const maxEvent = 256 << 10

// webhook is where pay tells what became of a payment. Its signature is all that it takes;
// that a message comes twice, late or out of order is harmless.
func (a *api) webhook(w http.ResponseWriter, r *http.Request) {
	ops.Route(r.Context(), r.Pattern)
	body, err := web.ReadBody(w, r, maxEvent)
	if err != nil {
		web.WriteProblem(w, r, err)
		return
	}
	event, err := payclient.VerifyWebhook(r.Header, body, a.hooks, time.Now())
	if err != nil {
		web.WriteProblem(w, r, fault.ErrForbidden.Because(err))
		return
	}
	ops.Note(r.Context(), slog.String("event", event.Type), slog.String("order", event.Data.Order))
	if err := a.shop.Hear(r.Context(), shop.OrderID(event.Data.Order)); err != nil {
		web.WriteProblem(w, r, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
