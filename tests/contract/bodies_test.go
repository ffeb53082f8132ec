package contract_test

import "testing"

// bodies sends what is no document that a route takes.
func (w *world) bodies(t *testing.T) {
	for _, c := range []struct {
		name, media, body, code, field string
		status                         int
	}{
		{"half a document", "application/json", `{"title":"x"`, "request.malformed", "", 400},
		{"two documents", "application/json", `{"title":"x","price":"1","stock":1}{}`, "request.malformed", "", 400},
		{"a list", "application/json", `[]`, "request.invalid", "", 422},
		{"no body", "application/json", ``, "request.malformed", "", 400},
		{"a member that is none", "application/json", `{"title":"x","price":"1","stock":1,"id":"mine"}`, "request.invalid", "id", 422},
		{"a form", "application/x-www-form-urlencoded", `title=x`, "request.media_type", "", 415},
		{"more than a megabyte", "application/json", `{"title":"` + repeated("x", 1<<20) + `"}`, "request.too_large", "", 413},
	} {
		w.do(t, call{name: c.name, as: "ann", method: "POST", path: "<shop>/products", body: c.body,
			header: map[string]string{"Content-Type": c.media}, status: c.status, code: c.code, field: c.field})
	}
	for _, module := range []string{"<auth>", "<pay>", "<shop>"} {
		w.do(t, call{name: "no such route", as: "ann", method: "GET", path: module + "/nothing", status: 404, code: "not_found"})
	}
}
