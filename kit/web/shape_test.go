package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"

	"jishi/kit/ops"
)

func TestFaultsOfShapeNameTheField(t *testing.T) {
	for _, c := range []struct{ location, message, field, reason string }{
		{"body.price", "expected string", "price", "expected string"},
		{"body.items[0].price", "expected string", "items[0].price", "expected string"},
		{"query.limit", "expected number <= 100", "limit", "expected number <= 100"},
		{"body", "unexpected end of JSON input", "", "unexpected end of JSON input"},
		{"body", "expected required property title to be present", "title", "expected required property title to be present"},
		{"body.items[0]", "expected required property product to be present", "items[0].product", "expected required property product to be present"},
		{"body", "json: cannot unmarshal number 9223372036854775808 into Go struct field NewProduct.stock of type int64", "stock", "number 9223372036854775808 does not fit"},
		{"body", "json: cannot unmarshal number 9223372036854775808 into Go struct field NewOrder.items.quantity of type int64", "items.quantity", "number 9223372036854775808 does not fit"},
	} {
		field, reason := fieldOf(&huma.ErrorDetail{Location: c.location, Message: c.message})
		if field != c.field || reason != c.reason {
			t.Errorf("%s: %s: got %q, %q; want %q, %q", c.location, c.message, field, reason, c.field, c.reason)
		}
	}
}

// However much is wrong with a request, and however long what is wrong is, its refusal and its
// line in the log stay short.
func TestManyFaultsMakeAShortRefusal(t *testing.T) {
	mux := http.NewServeMux()
	api := NewAPI(mux, About{Prefix: "/api", Title: "test", Groups: []Group{{Name: "Things"}}}, nil)
	Register(api, Call{ID: "putThing", Group: "Things", Method: "PUT", Path: "/api/v1/things/{id}", Summary: "Put a thing"},
		func(context.Context, *apiInput) (*struct{}, error) { return nil, nil })
	var members, fields strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&members, `"%x":0,`, i)
	}
	for i := range 3000 {
		fmt.Fprintf(&fields, "x%d=%%00&", i)
	}
	long := strings.Repeat("茶", 100_000)
	for name, c := range map[string]struct{ query, body string }{
		"members":            {"", "{" + members.String() + `"quantity":1}`},
		"a long member":      {"", `{"` + long + `":0}`},
		"a long number":      {"", `{"quantity":` + strings.Repeat("9", 300_000) + `}`},
		"fields":             {fields.String(), `{"quantity":1}`},
		"a long field":       {strings.Repeat("x", 30_000) + "=%00", `{"quantity":1}`},
		"a form's fields":    {"", fields.String()},
		"a form's long name": {"", long + "=%00"},
	} {
		var log bytes.Buffer
		page := Page(func(_ http.ResponseWriter, r *http.Request) error {
			_, err := Form(r)
			return err
		})
		r := httptest.NewRequest("PUT", "/api/v1/things/1?"+c.query, strings.NewReader(c.body))
		r.Header.Set("Content-Type", "application/json")
		h := http.Handler(mux)
		if !strings.HasPrefix(c.body, "{") {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			h = page
		}
		w := httptest.NewRecorder()
		ops.Requests(slog.New(slog.NewTextHandler(&log, nil)), ops.NewMetrics())(market(t, h)).ServeHTTP(w, r)
		var doc struct{ Errors []any }
		_ = json.Unmarshal(w.Body.Bytes(), &doc) // a page has none
		if w.Code/100 != 4 || len(doc.Errors) > maxFaults || w.Body.Len() > 10_000 || log.Len() > 10_000 {
			t.Errorf("%s: got %d with %d bytes and %d errors; the log has %d bytes", name, w.Code, w.Body.Len(), len(doc.Errors), log.Len())
		}
	}
}

// What is refused before a call's handler is reached has the call's route in the log and
// in the metrics, as what is done.
func TestRefusedCallsHaveTheirRoute(t *testing.T) {
	mux := http.NewServeMux()
	api := NewAPI(mux, About{Prefix: "/api", Title: "test", Groups: []Group{{Name: "Things"}}}, nil)
	Register(api, Call{ID: "putThing", Group: "Things", Method: "PUT", Path: "/api/v1/things/{id}", Summary: "Put a thing"},
		func(context.Context, *apiInput) (*struct{}, error) { return nil, nil })
	for body, status := range map[string]string{`{"quantity":1.5}`: "422", `{"quantity":7}`: "204"} {
		var log bytes.Buffer
		r := httptest.NewRequest("PUT", "/api/v1/things/1", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		ops.Requests(slog.New(slog.NewTextHandler(&log, nil)), ops.NewMetrics())(mux).ServeHTTP(httptest.NewRecorder(), r)
		if line := log.String(); !strings.Contains(line, `route="PUT /api/v1/things/{id}" status=`+status) {
			t.Errorf("%s: the log says %s", body, line)
		}
	}
}
