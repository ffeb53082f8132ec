package web

import (
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"jishi/kit/database"
	"jishi/kit/fault"
)

// What a document says of every call without being told: the refusals that come with
// an input, and how amounts and problems travel.

// amount describes a money.Amount as it travels, which its Go fields don't.
type amount struct {
	Amount   string `json:"amount" example:"12.00" doc:"Decimal, with the currency's decimals."`
	Currency string `json:"currency" example:"CNY" doc:"ISO 4217."`
}

// amountInput describes a money.Input.
type amountInput struct{}

// Schema says that an amount may be sent in two forms.
func (amountInput) Schema(huma.Registry) *huma.Schema {
	decimal := func() *huma.Schema { return &huma.Schema{Type: huma.TypeString, Examples: []any{"12.00"}} }
	return &huma.Schema{
		Description: "A decimal in the market's currency, or an amount with its currency as in answers.",
		Examples:    []any{"12.00"},
		OneOf: []*huma.Schema{decimal(), {
			Type: huma.TypeObject,
			Properties: map[string]*huma.Schema{
				"amount":   decimal(),
				"currency": {Type: huma.TypeString, Examples: []any{"CNY"}},
			},
			Required:             []string{"amount", "currency"},
			AdditionalProperties: false,
		}},
	}
}

// Problem describes a problem document (RFC 9457).
type Problem struct {
	_      struct{}        `additionalProperties:"true"`
	Type   string          `json:"type" format:"uri" example:"urn:jishi:problem:not_found" doc:"Names the problem and never changes; docs/problems.md lists all."`
	Title  string          `json:"title" example:"Not Found" doc:"The status in words."`
	Status int             `json:"status" example:"404"`
	Detail string          `json:"detail" example:"There is no such thing here." doc:"One sentence for people."`
	Code   string          `json:"code" example:"not_found" doc:"The last part of type."`
	Field  string          `json:"field,omitempty" doc:"The input at fault, if one is."`
	Reason string          `json:"reason,omitempty" doc:"What is wrong with the shape of the field."`
	Errors []ProblemMember `json:"errors,omitempty" doc:"All of them, where several things are wrong; of what is wrong with the shape of a request 20 at most."`
}

// ProblemMember is one of several things that are wrong.
type ProblemMember struct {
	_      struct{} `additionalProperties:"true"`
	Code   string   `json:"code"`
	Detail string   `json:"detail"`
	Field  string   `json:"field,omitempty"`
}

// always is what a call with such an input may refuse whatever its rule is.
func (c Call) always(a *API, input reflect.Type) []*fault.Error {
	all := []*fault.Error{fault.Of(errors.New("")), database.ErrBusy, database.ErrUnavailable, database.ErrFull, database.ErrUnknown}
	if c.Method == http.MethodGet {
		all = []*fault.Error{fault.Of(errors.New("")), database.ErrUnavailable}
	}
	if !c.Open {
		all = append(all, fault.ErrUnauthenticated)
		all = append(all, a.token...)
	}
	for i := range input.NumField() {
		switch f := input.Field(i); {
		case f.Name == "Body":
			all = append(all, errMalformed, errLate, errMedia, errTooLarge, errShape, errText)
		case f.Name == "RawBody":
			all = append(all, errLate, errTooLarge)
		case f.Type == reflect.TypeFor[IdempotencyKey]():
			all = append(all, errShape, errText, database.ErrMismatch)
		case f.Type == reflect.TypeFor[PageQuery]():
			all = append(all, errShape, errText, database.ErrCursor)
		case f.IsExported():
			all = append(all, errShape, errText)
		}
	}
	return all
}

// examplesRef is where a document keeps its examples of problems, by their codes.
const examplesRef = "#/components/examples/"

// refusals describes the answers that a call may have instead of the good one: for each
// status the problems that it can mean, as examples under their codes.
func refusals(a *API, all []*fault.Error) map[string]*huma.Response {
	schema := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
	responses, examples := map[string]*huma.Response{}, a.huma.OpenAPI().Components.Examples
	for _, f := range all {
		status := f.Kind.Status()
		r := responses[strconv.Itoa(status)]
		if r == nil {
			media := &huma.MediaType{Schema: schema, Examples: map[string]*huma.Example{}}
			r = &huma.Response{Headers: describedHeaders(f.Kind), Content: map[string]*huma.MediaType{fault.ContentType: media}}
			responses[strconv.Itoa(status)] = r
		}
		examples[f.Code] = &huma.Example{Summary: f.Detail, Value: fault.Problem(f)}
		r.Content[fault.ContentType].Examples[f.Code] = &huma.Example{Ref: examplesRef + f.Code}
	}
	for status, r := range responses {
		var codes []string
		for code := range r.Content[fault.ContentType].Examples {
			codes = append(codes, "`"+code+"`")
		}
		slices.Sort(codes)
		n, _ := strconv.Atoi(status)
		r.Description = http.StatusText(n) + ": " + strings.Join(codes, ", ")
	}
	return responses
}

func describedHeaders(k fault.Kind) map[string]*huma.Param {
	number := func(text string) *huma.Param {
		return &huma.Header{Description: text, Schema: &huma.Schema{Type: huma.TypeInteger, Examples: []any{60}}}
	}
	h := map[string]*huma.Param{}
	switch k {
	case fault.Unauthenticated:
		h["WWW-Authenticate"] = &huma.Header{Description: "How to say who calls.", Schema: &huma.Schema{Type: huma.TypeString, Examples: []any{"Bearer"}}}
	case fault.Busy:
		h["Retry-After"] = number("Seconds to wait.")
	case fault.Limited:
		h["Retry-After"] = number("Seconds to wait.")
		h["RateLimit-Limit"] = number("How many are let through in a window.")
		h["RateLimit-Remaining"] = number("How many are left: none.")
		h["RateLimit-Reset"] = number("Seconds until there is one more.")
	}
	return h
}

// forget drops the schemas of huma's own error documents, which no answer of ours has.
func forget(schemas huma.Registry) {
	delete(schemas.Map(), "ErrorModel")
	delete(schemas.Map(), "ErrorDetail")
}
