package web

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"jishi/kit/fault"
)

// What can't be kept as it is gets a refusal that names it, at whatever depth it stands.
func TestInputThatIsNoText(t *testing.T) {
	type item struct {
		Title string `json:"title,omitempty"`
	}
	type body struct {
		Items []item            `json:"items"`
		Note  *string           `json:"note"`
		More  map[string]string `json:"more"`
		Raw   []byte            `json:"raw"`
	}
	bad := "a\x00b"
	for want, in := range map[string]any{
		"items.title": &struct{ Body body }{body{Items: []item{{"fine"}, {bad}}}},
		"note":        &struct{ Body body }{body{Note: &bad}},
		"more.k":      &struct{ Body body }{body{More: map[string]string{"k": bad}}},
		"id": &struct {
			ID string `path:"id"`
		}{bad},
		"cursor": &struct{ PageQuery }{PageQuery{Cursor: bad}},
	} {
		if err := checkInput(in); !errors.Is(err, errText) || fault.Of(err).Field != want {
			t.Errorf("%s: got %v", want, err)
		}
	}
	if err := checkInput(&struct{ Body body }{body{Items: []item{{"日本 👩‍👩‍👧 \u200f"}}, Raw: []byte{0}}}); err != nil {
		t.Errorf("text: got %v", err)
	}
}

func TestFormsAndAddressesThatAreNoText(t *testing.T) {
	page := Protect(nil, false)(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := Form(r); err != nil {
			Refuse(w, r, err)
		}
	}))
	for name, c := range map[string]struct {
		path, body string
		want       int
	}{
		"text":                       {"/x?q=%E6%9D%AF", "title=%F0%9F%8D%B5", http.StatusOK},
		"NUL in a field":             {"/x", "title=a%00b", http.StatusUnprocessableEntity},
		"no UTF-8 in a field":        {"/x", "title=%ff", http.StatusUnprocessableEntity},
		"no UTF-8 in a field's name": {"/x", "%ff=1", http.StatusBadRequest},
		"NUL in the path":            {"/x%00", "", http.StatusBadRequest},
		"no UTF-8 in the query":      {"/x?q=%ff", "", http.StatusUnprocessableEntity},
		"the same for programs":      {"/api/x?q=%00", "", http.StatusUnprocessableEntity},
	} {
		r := httptest.NewRequest(http.MethodPost, c.path, strings.NewReader(c.body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		page.ServeHTTP(w, r)
		if w.Code != c.want {
			t.Errorf("%s: got %d %s, want %d", name, w.Code, w.Body, c.want)
		}
	}
}

// Nobody sends a file to a page that wants none: it isn't even read.
func TestAFormWithFilesIsForPagesThatWantThem(t *testing.T) {
	const body = "--x\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nCup\r\n--x--\r\n"
	send := func() *http.Request {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		return r
	}
	r := send()
	if _, err := Form(r); !errors.Is(err, errMalformed) {
		t.Errorf("Form: got %v", err)
	}
	if left, err := io.ReadAll(r.Body); err != nil || len(left) != len(body) {
		t.Errorf("Form read %d bytes, %v", len(body)-len(left), err)
	}
	if form, err := FileForm(send()); err != nil || form.Get("title") != "Cup" {
		t.Errorf("FileForm: got %v, %v", form, err)
	}
}
