package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"reflect"
	"strconv"
	"sync"
	"time"

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
	errLate      = fault.New(fault.Late, "request.late", "The request did not come to its end in time; nothing has changed. Please send it again.")
	errTooLarge  = fault.New(fault.TooLarge, "request.too_large", "The request is too large.")
	errMedia     = fault.New(fault.Unsupported, "request.media_type", "Send JSON, with Content-Type: application/json.")
)

// IdempotencyKey is embedded in the input of calls that would have a second effect when sent again.
type IdempotencyKey struct {
	Key string `header:"Idempotency-Key" maxLength:"128" example:"8c1f6d0e" doc:"For 30 days the same key with the same request again gives the first answer again, without a second effect; with another request it is refused. Keys are the caller's own: two users may use the same."`
}

// PageQuery is embedded in the input of lists.
type PageQuery struct {
	Cursor string `query:"cursor" maxLength:"256" doc:"Where to go on: next of the page before."`
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"How many items at most."`
}

// About is what a document says of its API as a whole.
type About struct {
	Prefix      string // of its addresses, "/pay/api": the document is at Prefix/openapi.json, for people at Prefix/docs
	Title       string
	Description string // Markdown
	Groups      []Group
	// Token are the refusals of a bearer token, which every call that takes one has.
	Token []*fault.Error
}

// Group is calls that belong together, in the order in which they are shown.
type Group struct{ Name, Description string }

// Caller finds out who makes a call.
type Caller func(*http.Request) (context.Context, error)

// API is a module's calls, with their document.
type API struct {
	huma   huma.API
	token  []*fault.Error
	caller Caller
	view   func() docView
}

// NewAPI adds an API to mux, with its OpenAPI 3.1 document and the page that shows it. Caller
// refuses who may make open calls only, before anything of a body is read, and gives the others'
// calls their context; with nil all calls are open.
func NewAPI(mux *http.ServeMux, about About, caller Caller) *API {
	c := huma.DefaultConfig(about.Title, "1")
	c.Info.Description = about.Description
	c.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	c.Servers = []*huma.Server{{URL: "/", Description: "the service that this document came from"}}
	for _, g := range about.Groups {
		c.Tags = append(c.Tags, &huma.Tag{Name: g.Name, Description: g.Description})
	}
	c.OpenAPIPath = about.Prefix + "/openapi"
	c.SchemasPath = about.Prefix + "/schemas"
	c.DocsPath = ""     // huma's page loads scripts from elsewhere; ours is in apidoc.go
	c.CreateHooks = nil // no $schema members in answers
	c.Transformers = []huma.Transformer{problems}
	reader := huma.Format{Marshal: huma.DefaultJSONFormat.Marshal, Unmarshal: readJSON}
	c.Formats = map[string]huma.Format{"application/json": reader, "json": reader}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		bearer: {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "An access token of auth's for this service: by the authorization code flow, or `jishi token` for scripts."},
	}
	c.Components.Examples = map[string]*huma.Example{}
	schemas := c.Components.Schemas
	schemas.RegisterTypeAlias(reflect.TypeFor[money.Amount](), reflect.TypeFor[amount]())
	schemas.RegisterTypeAlias(reflect.TypeFor[money.Input](), reflect.TypeFor[amountInput]())
	a := &API{huma: humago.New(mux, c), token: about.Token, caller: caller}
	a.view = sync.OnceValue(func() docView { return viewOf(a.huma.OpenAPI(), about.Prefix) })
	mux.Handle("GET "+about.Prefix+DocsPath, Page(a.docs))
	return a
}

// bearer names the one way to say who calls.
const bearer = "bearer"

// fileTimeout is how long a file may take to come; what else is sent has five seconds.
const fileTimeout = time.Minute

// Call describes a call. Refuses lists what its rule may refuse; what every call with
// such an input may refuse is added to the document by itself.
type Call struct {
	ID, Group            string
	Method, Path         string // the whole path
	Summary, Description string
	Open                 bool // needs no token
	Status               int  // when all went well; 0 is 200, or 204 without a body
	Refuses              []*fault.Error

	MaxBody int64    // bytes; 0 is a megabyte
	Media   []string // of a body that is a file
	Streams string   // media type of an answer that is a Stream
}

// Register adds a call. Its handler returns refusals or errors as they are; what the
// client reads is the problem document of kit/fault, and the cause goes to the
// request's log line.
func Register[I, O any](a *API, c Call, handle func(context.Context, *I) (*O, error)) {
	op := c.operation()
	op.Responses = refusals(a, append(c.always(a, reflect.TypeFor[I]()), c.Refuses...))
	documented := op.Responses // huma adds the good one
	if c.Streams != "" {
		op.Responses["200"] = &huma.Response{Description: "OK", Content: map[string]*huma.MediaType{c.Streams: {Schema: &huma.Schema{Type: huma.TypeString}}}}
	}
	route := c.Method + " " + c.Path
	op.Middlewares = huma.Middlewares{func(ctx huma.Context, next func(huma.Context)) {
		ops.Route(ctx.Context(), route) // here, so that what the library refuses has its route too
		if !c.Open && a.caller != nil {
			r, w := humago.Unwrap(ctx)
			of, err := a.caller(r)
			if err != nil {
				WriteProblem(w, r, err)
				return
			}
			ctx = huma.WithContext(ctx, of)
		}
		next(received{ctx})
	}}
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		err := checkInput(in)
		if err == nil {
			var out *O
			if out, err = handle(ctx, in); err == nil {
				return out, nil
			}
		}
		f := fault.Of(err)
		ops.Failed(ctx, err)
		if documented[strconv.Itoa(f.Kind.Status())] == nil {
			ops.Note(ctx, slog.Bool("undocumented", true)) // a client that was generated has no name for it
		}
		return nil, problem{f, fault.Problem(err)}
	})
	forget(a.huma.OpenAPI().Components.Schemas)
}

func (c Call) operation() huma.Operation {
	op := huma.Operation{
		OperationID: c.ID, Method: c.Method, Path: c.Path, Summary: c.Summary, Description: c.Description,
		DefaultStatus: c.Status, Tags: []string{c.Group}, MaxBodyBytes: c.MaxBody,
		Security: []map[string][]string{},
	}
	if !c.Open {
		op.Security = []map[string][]string{{bearer: {}}}
	}
	if len(c.Media) > 0 {
		op.BodyReadTimeout = fileTimeout
		op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{}}
		for _, media := range c.Media {
			op.RequestBody.Content[media] = &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
		}
	}
	return op
}

// problem is a refusal in the form that huma answers with.
type problem struct {
	f   *fault.Error
	doc map[string]any
}

func (p problem) Error() string             { return fmt.Sprint(p.doc["detail"]) }
func (p problem) GetStatus() int            { return p.f.Kind.Status() }
func (p problem) ContentType(string) string { return fault.ContentType }
func (p problem) GetHeaders() http.Header   { return RefusalHeaders(p.f) }

// soon is when to try again where a refusal doesn't say, in seconds.
const soon = "2"

// RefusalHeaders are those that belong to a refusal wherever it is answered.
func RefusalHeaders(f *fault.Error) http.Header {
	h := http.Header{}
	switch f.Kind {
	case fault.Unauthenticated:
		h.Set("WWW-Authenticate", "Bearer")
	case fault.Busy, fault.Limited:
		h.Set("Retry-After", soon)
	}
	if after, ok := f.Extra[fault.RetryAfter].(int); ok {
		h.Set("Retry-After", strconv.Itoa(after))
		if limit, ok := f.Extra[fault.Limit].(int); ok {
			h.Set("RateLimit-Limit", strconv.Itoa(limit))
			h.Set("RateLimit-Remaining", "0")
			h.Set("RateLimit-Reset", strconv.Itoa(after))
		}
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

func shapeFault(m *huma.ErrorModel) error {
	var f *fault.Error
	switch fault.KindOf(m.Status) {
	case fault.Late:
		return errLate
	case fault.TooLarge:
		return errTooLarge
	case fault.Unsupported:
		return errMedia
	case fault.Invalid:
		f = errShape
	default:
		f = errMalformed
	}
	var all []error
	for _, d := range m.Errors[:min(len(m.Errors), maxFaults)] {
		field, reason := fieldOf(d)
		all = append(all, f.On(brief(field)).With("reason", brief(reason)))
	}
	if len(all) == 0 {
		return f
	}
	return errors.Join(all...)
}

// WriteProblem answers with the refusal in err, for what is refused before a route
// is reached.
func WriteProblem(w http.ResponseWriter, r *http.Request, err error) {
	f := fault.Of(err)
	ops.Failed(r.Context(), err)
	maps.Copy(w.Header(), RefusalHeaders(f))
	w.Header().Set("Content-Type", fault.ContentType)
	w.WriteHeader(f.Kind.Status())
	_ = huma.DefaultJSONFormat.Marshal(w, fault.Problem(err)) // a reader that left
}
