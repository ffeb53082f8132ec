package fault

import (
	"encoding/json"
	"net/http"
	"strings"
)

// ContentType is that of a problem document (RFC 9457).
const ContentType = "application/problem+json"

const typePrefix = "urn:jishi:problem:"

// statuses is the one table between kinds and HTTP, read both ways.
var statuses = map[Kind]int{
	Internal:        http.StatusInternalServerError,
	Invalid:         http.StatusUnprocessableEntity,
	Malformed:       http.StatusBadRequest,
	Unauthenticated: http.StatusUnauthorized,
	Forbidden:       http.StatusForbidden,
	NotFound:        http.StatusNotFound,
	NotAllowed:      http.StatusMethodNotAllowed,
	Late:            http.StatusRequestTimeout,
	Unsupported:     http.StatusUnsupportedMediaType,
	Conflict:        http.StatusConflict,
	Stale:           http.StatusPreconditionFailed,
	TooLarge:        http.StatusRequestEntityTooLarge,
	Limited:         http.StatusTooManyRequests,
	Unpaid:          http.StatusPaymentRequired,
	Busy:            http.StatusServiceUnavailable,
	Unknown:         http.StatusGatewayTimeout,
}

// Status is the HTTP status of a kind.
func (k Kind) Status() int { return statuses[k] }

// KindOf is the kind of an HTTP status. A status that we never send is read by its
// class: another 4xx is Malformed, anything else Internal.
func KindOf(status int) Kind {
	for k, s := range statuses {
		if s == status {
			return k
		}
	}
	if status >= 400 && status < 500 {
		return Malformed
	}
	return Internal
}

// members are those of a problem document that are not Extra.
var members = []string{"type", "title", "status", "detail", "code", "field", "errors"}

// Problem is the problem document of err: a JSON object with the members type,
// title, status, detail, code, field and Extra's. Where err joins several refusals
// the first one is the document and "errors" lists all.
func Problem(err error) map[string]any {
	all := All(err)
	doc := all[0].document()
	doc["type"] = typePrefix + all[0].Code
	doc["title"] = http.StatusText(all[0].Kind.Status())
	doc["status"] = all[0].Kind.Status()
	if len(all) > 1 {
		list := make([]map[string]any, len(all))
		for i, e := range all {
			list[i] = e.document()
		}
		doc["errors"] = list
	}
	return doc
}

func (e *Error) document() map[string]any {
	doc := map[string]any{}
	for k, v := range e.Extra {
		doc[k] = v
	}
	doc["code"], doc["detail"] = e.Code, e.Detail
	if e.Field != "" {
		doc["field"] = e.Field
	}
	return doc
}

// Decode reads the refusal of an answer. A body that is no problem document of ours gives a
// refusal that keeps the beginning of the body for the log. Where that is the word of a proxy
// which got no answer, nobody knows what was done.
func Decode(status int, body []byte) *Error {
	var doc map[string]any
	if err := json.Unmarshal(body, &doc); err != nil || doc["code"] == nil {
		kind, detail := KindOf(status), "The other service refused."
		switch status {
		case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			kind, detail = Unknown, "The other service did not answer. Please look again before you repeat this."
		}
		return &Error{
			Kind:   kind,
			Code:   "http." + strings.ToLower(strings.ReplaceAll(http.StatusText(status), " ", "_")),
			Detail: detail,
			cause:  &foreign{status, string(body[:min(len(body), 200)])},
		}
	}
	e := &Error{Kind: KindOf(status)}
	e.Code, _ = doc["code"].(string)
	e.Detail, _ = doc["detail"].(string)
	e.Field, _ = doc["field"].(string)
	for _, m := range members {
		delete(doc, m)
	}
	if len(doc) > 0 {
		e.Extra = doc
	}
	return e
}

// foreign is an answer that is not in our form.
type foreign struct {
	status int
	body   string
}

func (f *foreign) Error() string { return http.StatusText(f.status) + ": " + f.body }
