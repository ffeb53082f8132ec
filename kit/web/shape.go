package web

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"
)

// unfit is how Go's decoder says that a value does not fit into its field: the schemas
// let through what only the field's size forbids.
var unfit = regexp.MustCompile(`^json: cannot unmarshal (.*) into Go struct field [^.]+\.(\S+) of type`)

// How much of what is wrong with a request its refusal says: a body of a megabyte may have a
// hundred thousand faults, or one in a name as long.
const (
	maxFaults = 20
	maxWords  = 200 // bytes of a field's name, and of a reason
)

// brief is s, or the beginning of one that is too long.
func brief(s string) string {
	if len(s) <= maxWords {
		return s
	}
	return strings.ToValidUTF8(s[:maxWords], "") + "…"
}

// fieldOf is the field that a fault of a request's shape is about, in the names of the wire,
// and what is wrong with it. The library leaves the name of a member that is missing, or that
// does not fit, in its text.
func fieldOf(d *huma.ErrorDetail) (field, reason string) {
	_, field, _ = strings.Cut(d.Location, ".") // "body.price" -> "price"
	var name string
	if _, err := fmt.Sscanf(d.Message, validation.MsgExpectedRequiredProperty, &name); err == nil {
		return strings.TrimPrefix(field+"."+name, "."), d.Message
	}
	if m := unfit.FindStringSubmatch(d.Message); m != nil {
		return m[2], m[1] + " does not fit"
	}
	return field, d.Message
}
