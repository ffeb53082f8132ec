package web

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"jishi/kit/fault"
	"jishi/kit/money"
	"jishi/kit/ops"
)

// Refusals of requests that can't be read as what the route takes.
var (
	errShape     = fault.New(fault.Invalid, "request.invalid", "The request has a value that this call doesn't take.")
	errMalformed = fault.New(fault.Malformed, "request.malformed", "The request can't be read.")
	errTooLarge  = fault.New(fault.TooLarge, "request.too_large", "The request is too large.")
	errMedia     = fault.New(fault.Malformed, "request.media_type", "Send JSON, with Content-Type: application/json.")
)

// IdempotencyKey is embedded in the input of calls that create.
type IdempotencyKey struct {
	Key string `header:"Idempotency-Key" maxLength:"128" doc:"the same key again gives the first answer again, without a second effect"`
}

// PageQuery is embedded in the input of lists.
type PageQuery struct {
	Cursor string `query:"cursor" maxLength:"256" doc:"where to go on: next of the page before"`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20"`
}

// NewAPI adds an API to mux. Its OpenAPI 3.1 document is at prefix/openapi.json.
func NewAPI(mux *http.ServeMux, prefix, title string) huma.API {
	c := huma.DefaultConfig(title, "1")
	c.OpenAPIPath = prefix + "/openapi"
	c.SchemasPath = prefix + "/schemas"
	c.DocsPath = ""     // huma's document loads scripts from elsewhere
	c.CreateHooks = nil // no $schema members in answers
	c.Transformers = []huma.Transformer{problems}
	reader := huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: readJSON}
	c.Formats = map[string]huma.Format{"application/json": reader, "json": reader}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {Type: "http", Scheme: "bearer", BearerFormat: "JWT"},
	}
	c.Components.Schemas.RegisterTypeAlias(reflect.TypeFor[money.Amount](), reflect.TypeFor[amount]())
	return humago.New(mux, c)
}

// amount describes a money.Amount as it travels, which its Go fields don't.
type amount struct {
	Amount   string `json:"amount" example:"12.00" doc:"decimal, with the currency's decimals"`
	Currency string `json:"currency" example:"CNY" doc:"ISO 4217"`
}

// Register adds a call. Its handler returns refusals or errors as they are; what the
// client reads is the problem document of kit/fault, and the cause goes to the
// request's log line.
func Register[I, O any](api huma.API, op huma.Operation, handle func(context.Context, *I) (*O, error)) {
	if op.OperationID == "" {
		op.OperationID = operationID(op)
	}
	route := op.Method + " " + op.Path
	huma.Register(api, op, func(ctx context.Context, in *I) (*O, error) {
		ops.Route(ctx, route)
		var out *O
		err := checkInput(in)
		if err == nil {
			out, err = handle(ctx, in)
		}
		if err != nil {
			f := fault.Of(err)
			ops.Note(ctx, slog.String("err", err.Error()))
			return nil, problem{f.Kind, fault.Problem(err)}
		}
		return out, nil
	})
}

// operationID names a call after its method and path: get-api-v1-orders-id.
func operationID(op huma.Operation) string {
	words := strings.FieldsFunc(op.Path, func(r rune) bool { return strings.ContainsRune("/{}", r) })
	return strings.ToLower(op.Method) + "-" + strings.Join(words, "-")
}

// problem is a refusal in the form that huma answers with.
type problem struct {
	kind fault.Kind
	doc  map[string]any
}

func (p problem) Error() string             { return fmt.Sprint(p.doc["detail"]) }
func (p problem) GetStatus() int            { return p.kind.Status() }
func (p problem) ContentType(string) string { return fault.ContentType }
func (p problem) GetHeaders() http.Header   { return refusalHeaders(p.kind) }

// refusalHeaders are those that belong to a kind wherever it is answered.
func refusalHeaders(k fault.Kind) http.Header {
	h := http.Header{}
	switch k {
	case fault.Unauthenticated:
		h.Set("WWW-Authenticate", "Bearer")
	case fault.Busy, fault.Limited:
		h.Set("Retry-After", "2")
	}
	return h
}

// problems is a huma.Transformer: what huma itself refuses, before a handler is called,
// takes the same form as our refusals.
func problems(_ huma.Context, _ string, v any) (any, error) {
	switch v := v.(type) {
	case problem:
		return v.doc, nil
	case *huma.ErrorModel:
		doc := fault.Problem(shapeFault(v))
		doc["status"] = v.Status
		return doc, nil
	}
	return v, nil
}

func shapeFault(m *huma.ErrorModel) *fault.Error {
	var f *fault.Error
	switch fault.KindOf(m.Status) {
	case fault.TooLarge:
		return errTooLarge
	case fault.Invalid:
		f = errShape
	default:
		f = errMalformed
		if m.Status == http.StatusUnsupportedMediaType {
			f = errMedia
		}
	}
	if len(m.Errors) > 0 {
		d := m.Errors[0]
		_, field, _ := strings.Cut(d.Location, ".") // "body.price" -> "price"
		f = f.On(field).With("reason", d.Message)
	}
	return f
}

// WriteProblem answers with the refusal in err, for what is refused before a route
// is reached.
func WriteProblem(w http.ResponseWriter, r *http.Request, err error) {
	f := fault.Of(err)
	ops.Note(r.Context(), slog.String("err", err.Error()))
	for k, v := range refusalHeaders(f.Kind) {
		w.Header()[k] = v
	}
	w.Header().Set("Content-Type", fault.ContentType)
	w.WriteHeader(f.Kind.Status())
	_ = huma.DefaultJSONFormat.Marshal(w, fault.Problem(err)) // a reader that left
}
