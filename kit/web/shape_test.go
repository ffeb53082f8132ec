package web

import (
	"testing"

	"github.com/danielgtaylor/huma/v2"
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
