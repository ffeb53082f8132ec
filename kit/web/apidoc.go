package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"jishi/kit/locale"
	"jishi/kit/ui"
)

// DocsPath is where an API shows its document to people, below its prefix. The page is
// made here from the OpenAPI model: no script, nothing from elsewhere.
const DocsPath = "/docs"

// IsAPI tells whether an address is one of an API's, where programs call with a token
// and refusals are problem documents. The page about it is a page.
func IsAPI(path string) bool {
	return strings.Contains(path, "/api/") && !strings.HasSuffix(path, "/api"+DocsPath)
}

// docView is a document as it is shown.
type docView struct {
	Title  string
	Intro  []string // paragraphs
	JSON   string   // address of the document
	Groups []docGroup
}

type docGroup struct {
	ID, Name, Text string
	Calls          []docCall
}

// docCall is a call.
type docCall struct {
	ID, Method, Path, Summary string
	Text                      string
	Token                     bool // it needs one
	Params                    []docField
	Media                     string // of the body, "" where there is none
	Body                      []docField
	BodyExample               string
	Status, Reply             string // when all went well
	ReplyFields               []docField
	ReplyHeaders              []docField
	ReplyExample              string
	Refusals                  []docRefusal
}

// docField is a parameter, a header or a member of a document.
type docField struct {
	Name, In, Type, Text string
	Required             bool
}

type docRefusal struct {
	Status, Code, Detail string
}

// docs shows the document. It is made when it is first asked for, since all calls are
// registered then, and is the same ever after.
func (a *API) docs(w http.ResponseWriter, r *http.Request) error {
	return Render(w, r, http.StatusOK, docPage(a.view()))
}

func viewOf(d *huma.OpenAPI, prefix string) docView {
	v := docView{Title: d.Info.Title, Intro: paragraphs(d.Info.Description), JSON: prefix + "/openapi.json"}
	for _, tag := range d.Tags {
		v.Groups = append(v.Groups, docGroup{ID: slug(tag.Name), Name: tag.Name, Text: tag.Description})
	}
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		item := d.Paths[path]
		for _, op := range []*huma.Operation{item.Get, item.Post, item.Put, item.Patch, item.Delete} {
			if op == nil {
				continue
			}
			i := slices.IndexFunc(v.Groups, func(g docGroup) bool { return slices.Contains(op.Tags, g.Name) })
			v.Groups[i].Calls = append(v.Groups[i].Calls, callOf(d, op))
		}
	}
	return v
}

func callOf(d *huma.OpenAPI, op *huma.Operation) docCall {
	schemas := d.Components.Schemas
	c := docCall{
		ID: op.OperationID, Method: op.Method, Path: op.Path, Summary: op.Summary, Text: op.Description, Token: len(op.Security) > 0,
	}
	for _, p := range op.Parameters {
		c.Params = append(c.Params, docField{Name: p.Name, In: p.In, Type: typeOf(schemas, p.Schema), Text: p.Description, Required: p.Required})
	}
	if op.RequestBody != nil {
		c.Media = strings.Join(slices.Sorted(maps.Keys(op.RequestBody.Content)), ", ")
		if m := op.RequestBody.Content["application/json"]; m != nil {
			c.Body, c.BodyExample = fieldsOf(schemas, m.Schema), exampleOf(schemas, m.Schema)
		}
	}
	for _, status := range slices.Sorted(maps.Keys(op.Responses)) {
		r := op.Responses[status]
		if status < "400" {
			c.Status, c.Reply = status, r.Description
			for _, name := range slices.Sorted(maps.Keys(r.Headers)) {
				c.ReplyHeaders = append(c.ReplyHeaders, docField{Name: name, Type: typeOf(schemas, r.Headers[name].Schema), Text: r.Headers[name].Description})
			}
			if m := r.Content["application/json"]; m != nil {
				c.ReplyFields, c.ReplyExample = fieldsOf(schemas, m.Schema), exampleOf(schemas, m.Schema)
			}
			continue
		}
		for _, m := range r.Content {
			for _, code := range slices.Sorted(maps.Keys(m.Examples)) {
				c.Refusals = append(c.Refusals, docRefusal{status, code, d.Components.Examples[code].Summary})
			}
		}
	}
	return c
}

// resolve follows a reference to the schema that it names.
func resolve(schemas huma.Registry, s *huma.Schema) *huma.Schema {
	if s != nil && s.Ref != "" {
		return schemas.SchemaFromRef(s.Ref)
	}
	return s
}

// fieldsOf lists the members of a document, those of its parts with a dotted name.
func fieldsOf(schemas huma.Registry, s *huma.Schema) []docField {
	var fields []docField
	s = resolve(schemas, s)
	if s == nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[name]
		fields = append(fields, docField{
			Name: name, Type: typeOf(schemas, p), Text: textOf(schemas, p), Required: slices.Contains(s.Required, name),
		})
		inner, mark := resolve(schemas, p), "."
		if inner.Type == huma.TypeArray {
			inner, mark = resolve(schemas, inner.Items), "[]."
		}
		if inner == nil || inner.Type != huma.TypeObject || isAmount(inner) {
			continue
		}
		for _, f := range fieldsOf(schemas, inner) {
			f.Name = name + mark + f.Name
			fields = append(fields, f)
		}
	}
	return fields
}

// isAmount tells the one document that is shown as one field, since every answer has it.
func isAmount(s *huma.Schema) bool {
	return len(s.Properties) == 2 && s.Properties["amount"] != nil && s.Properties["currency"] != nil
}

func textOf(schemas huma.Registry, s *huma.Schema) string {
	if s.Description != "" {
		return s.Description
	}
	return resolve(schemas, s).Description
}

// typeOf says in a few words what a value may be.
func typeOf(schemas huma.Registry, s *huma.Schema) string {
	s = resolve(schemas, s)
	switch {
	case s == nil:
		return ""
	case len(s.OneOf) > 0:
		var types []string
		for _, one := range s.OneOf {
			types = append(types, typeOf(schemas, one))
		}
		return strings.Join(types, " | ")
	case isAmount(s):
		return "{amount, currency}"
	case s.Type == huma.TypeArray:
		return typeOf(schemas, s.Items) + "[]"
	case len(s.Enum) > 0:
		var values []string
		for _, e := range s.Enum {
			values = append(values, fmt.Sprint(e))
		}
		return strings.Join(values, " | ")
	}
	text := s.Type
	if s.Format != "" {
		text += " (" + s.Format + ")"
	}
	if s.Minimum != nil && s.Maximum != nil {
		text += fmt.Sprintf(" %v…%v", *s.Minimum, *s.Maximum)
	}
	if s.MaxLength != nil {
		text += fmt.Sprintf(" ≤%d", *s.MaxLength)
	}
	return text
}

// exampleOf is a document with example values, indented.
func exampleOf(schemas huma.Registry, s *huma.Schema) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(valueOf(schemas, s, "")); err != nil {
		return ""
	}
	return strings.TrimSpace(b.String())
}

// valueOf is an example of what a schema describes; a schema without one of its own gets
// a plain value of its type.
func valueOf(schemas huma.Registry, s *huma.Schema, name string) any {
	if s != nil && len(s.Examples) > 0 {
		return s.Examples[0]
	}
	s = resolve(schemas, s)
	switch {
	case s == nil:
		return nil
	case len(s.Examples) > 0:
		return s.Examples[0]
	case len(s.Enum) > 0:
		return s.Enum[0]
	case s.Default != nil:
		return s.Default
	}
	switch s.Type {
	case huma.TypeObject:
		o := map[string]any{}
		for member, p := range s.Properties {
			o[member] = valueOf(schemas, p, member)
		}
		return o
	case huma.TypeArray:
		return []any{valueOf(schemas, s.Items, name)}
	case huma.TypeBoolean:
		return true
	case huma.TypeInteger, huma.TypeNumber:
		return 1
	}
	if s.Format == "date-time" {
		return "2026-03-01T12:00:00Z"
	}
	return ""
}

func paragraphs(text string) []string {
	var all []string
	for p := range strings.SplitSeq(text, "\n\n") {
		if p = strings.TrimSpace(p); p != "" {
			all = append(all, p)
		}
	}
	return all
}

func slug(name string) string { return strings.ReplaceAll(strings.ToLower(name), " ", "-") }

// docLinks leads to the pages of all APIs.
func docLinks(ctx context.Context) []ui.Link {
	site := ui.SiteOf(ctx)
	return []ui.Link{
		{Text: locale.T(ctx, "ui.docs.shop"), URL: site.Shop + "/api" + DocsPath},
		{Text: locale.T(ctx, "ui.docs.pay"), URL: site.Pay + "/pay/api" + DocsPath},
		{Text: locale.T(ctx, "ui.docs.auth"), URL: site.Auth + "/auth/api" + DocsPath},
	}
}
