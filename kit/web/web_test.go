package web

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"jishi/kit/fault"
	"jishi/kit/locale"
	"jishi/kit/ops"
	"jishi/kit/ui"
)

func TestSealedValues(t *testing.T) {
	old, young := NewSecret(), NewSecret()
	before, after := NewSealer(Secrets{old}.Key("cookie")), NewSealer(Secrets{young, old}.Key("cookie"))
	sealed := before.Seal("flash", []byte("hello"))

	if got, err := after.Open("flash", sealed); err != nil || string(got) != "hello" {
		t.Errorf("after a rotation: %q, %v", got, err)
	}
	if _, err := after.Open("session", sealed); err == nil {
		t.Error("opened for another purpose")
	}
	if _, err := NewSealer(Secrets{young}.Key("cookie")).Open("flash", sealed); err == nil {
		t.Error("opened without its key")
	}
	if _, err := NewSealer(Secrets{old}.Key("other")).Open("flash", sealed); err == nil {
		t.Error("opened with a key of another purpose")
	}
	forged := []byte(sealed)
	forged[len(forged)/2] ^= 1
	if _, err := after.Open("flash", string(forged)); err == nil {
		t.Error("opened a forged value")
	}
}

func TestReturnPathsStayHere(t *testing.T) {
	for path, want := range map[string]string{
		"/cart":                 "/cart",
		"/products/1?x=//y":     "/products/1?x=//y",
		"":                      "/home",
		"cart":                  "/home",
		"//evil.example":        "/home",
		"/\\evil.example":       "/home",
		"/%2F/evil.example":     "/home",
		"https://evil.example":  "/home",
		"javascript:alert(1)":   "/home",
		"/\t/evil.example":      "/home",
		"/a\r\nSet-Cookie: x=y": "/home",
	} {
		if got := LocalPath(path, "/home"); got != want {
			t.Errorf("LocalPath(%q) = %q, want %q", path, got, want)
		}
	}
}

// market wraps a handler as app does.
func market(t *testing.T, h http.Handler) http.Handler {
	t.Helper()
	bundle, err := locale.New(ui.Locales)
	if err != nil {
		t.Fatal(err)
	}
	h = Flashes(NewSealer(Secrets{NewSecret()}.Key("cookie")), Cookies{})(h)
	return bundle.Middleware(ui.Middleware(ui.Site{})(Protect([]string{"http://pay.example:1"}, false)(h)))
}

func post(t *testing.T, h http.Handler, path string, form url.Values, header ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest("POST", path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// An address that only takes a form leads to the page above it; others that are no page lead nowhere.
func TestAnAddressWithoutAPage(t *testing.T) {
	mux := http.NewServeMux()
	for _, pattern := range []string{
		"GET /pay/{$}", "POST /pay/wallets", "GET /pay/wallets/{id}", "POST /pay/wallets/{id}/name", "GET /cart", "POST /cart/items/{id}/remove",
		"POST /alone", "GET /api/v1/orders", "POST /api/v1/orders/{id}/pay",
	} {
		mux.HandleFunc(pattern, func(http.ResponseWriter, *http.Request) {})
	}
	mux.Handle("/", NotFound(mux))
	h := market(t, mux)
	for path, want := range map[string]string{
		"/pay/wallets":            "/pay/",
		"/pay/wallets/w%2F1/name": "/pay/wallets/w%2F1",
		"/cart/items/x/remove":    "/cart",
		"/cart/items/x":           "",
		"/alone":                  "",
		"/api/v1/orders/x/pay":    "",
		"/%2Fcart/items/x/remove": "",
		"/nowhere":                "",
	} {
		for _, method := range []string{"GET", "HEAD", "PUT"} {
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
			to := want
			if method == "PUT" {
				to = ""
			}
			if got := w.Header().Get("Location"); got != to || (w.Code == http.StatusSeeOther) != (to != "") || to == "" && w.Code < 400 {
				t.Errorf("%s %s: got %d %q, want %q", method, path, w.Code, got, to)
			}
		}
	}
}

func TestAFormFromAnotherSiteDoesNothing(t *testing.T) {
	done := 0
	h := market(t, Page(func(w http.ResponseWriter, r *http.Request) error {
		done++
		return SeeOther(w, r, "/")
	}))
	for name, header := range map[string][]string{
		"cross-site":   {"Sec-Fetch-Site", "cross-site"},
		"same-site":    {"Sec-Fetch-Site", "same-site"},
		"other origin": {"Origin", "https://evil.example"},
		"null origin":  {"Origin", "null"},
	} {
		if w := post(t, h, "/cart", nil, header...); w.Code != http.StatusForbidden || done != 0 {
			t.Errorf("%s: %d, done %d times", name, w.Code, done)
		}
	}
	if w := post(t, h, "/cart", nil, "Sec-Fetch-Site", "same-origin"); w.Code != http.StatusSeeOther || done != 1 {
		t.Errorf("our own form: %d, done %d times", w.Code, done)
	}
}

func TestABrokenHandlerShowsNothingOfItsCause(t *testing.T) {
	for name, h := range map[string]Page{
		"error": func(http.ResponseWriter, *http.Request) error { return errors.New("dial 10.0.0.7: hunter2") },
		"panic": func(http.ResponseWriter, *http.Request) error { panic("hunter2") },
	} {
		w := post(t, market(t, h), "/cart", nil)
		if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "hunter2") || !strings.Contains(w.Body.String(), "<h1") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		w = post(t, market(t, h), "/cart", nil, "HX-Request", "true", "HX-Request-Type", "partial")
		if strings.Contains(w.Body.String(), "<html") {
			t.Errorf("%s: a fragment was answered with a whole page", name)
		}
	}
}

// What a fragment should have taken the place of stays where it is when the fragment fails.
func TestAFragmentThatFailsIsSaidElsewhere(t *testing.T) {
	h := market(t, Page(func(http.ResponseWriter, *http.Request) error { return errNotFound }))
	for kind, want := range map[string]string{"partial": "#flash", "full": ""} {
		w := post(t, h, "/cart", nil, "HX-Request", "true", "HX-Request-Type", kind)
		if got := w.Header().Get("HX-Retarget"); w.Code != http.StatusNotFound || got != want || (w.Header().Get("HX-Reswap") == "") != (want == "") {
			t.Errorf("%s: got %d for %q, want 404 for %q", kind, w.Code, got, want)
		}
	}
}

func TestAFlashIsShownOnce(t *testing.T) {
	h := market(t, Page(func(w http.ResponseWriter, r *http.Request) error {
		if r.Method == http.MethodPost {
			SetFlash(w, r, "ui.cart.count", "count", 3)
			return SeeOther(w, r, "/")
		}
		return Render(w, r, http.StatusOK, ui.Page("x"))
	}))
	cookie := post(t, h, "/", nil, "Accept-Language", "en").Result().Cookies()[0]
	get := func(c *http.Cookie) *httptest.ResponseRecorder {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Accept-Language", "en")
		r.AddCookie(c)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	first := get(cookie)
	if !strings.Contains(first.Body.String(), "3 items in the cart") {
		t.Error("the message isn't on the next page")
	}
	if c := first.Result().Cookies(); len(c) != 1 || c[0].MaxAge >= 0 {
		t.Errorf("the cookie stays: %v", c)
	}
	cookie.Value = "forged" + cookie.Value
	if strings.Contains(get(cookie).Body.String(), "3 items in the cart") {
		t.Error("a forged message is shown")
	}
}

func TestFormLimits(t *testing.T) {
	h := market(t, Page(func(_ http.ResponseWriter, r *http.Request) error {
		form, err := Form(r)
		if err != nil {
			return err
		}
		_, err = TokenOf(form)
		return err
	}))
	if w := post(t, h, "/", url.Values{"x": {strings.Repeat("a", 2<<20)}}); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("2 MB: %d", w.Code)
	}
	if w := post(t, h, "/", url.Values{"token": {"guess"}}); w.Code != http.StatusBadRequest {
		t.Errorf("a token that isn't ours: %d", w.Code)
	}
	if w := post(t, h, "/", url.Values{"token": {FormToken()}}); w.Code != http.StatusOK {
		t.Errorf("a good form: %d", w.Code)
	}
}

type apiInput struct {
	ID   string `path:"id" maxLength:"5"`
	Body struct {
		Quantity int `json:"quantity" minimum:"1"`
	}
}

func TestAPIRefusals(t *testing.T) {
	mux := http.NewServeMux()
	api := NewAPI(mux, About{Prefix: "/api", Title: "test", Groups: []Group{{Name: "Things"}}}, nil)
	Register(api, Call{ID: "putThing", Group: "Things", Method: "PUT", Path: "/api/v1/things/{id}", Summary: "Put a thing", Refuses: []*fault.Error{errGone}}, func(_ context.Context, in *apiInput) (*struct{}, error) {
		switch in.Body.Quantity {
		case 1:
			return nil, errGone.On("quantity").With("available", "0")
		case 2:
			return nil, errors.New("dial 10.0.0.7: hunter2")
		case 3:
			return nil, fault.New(fault.Busy, "test.busy", "Later.")
		}
		return nil, nil
	})
	for _, c := range []struct {
		body, code, field string
		status            int
	}{
		{`{"quantity":1}`, "test.gone", "quantity", 409},
		{`{"quantity":2}`, "internal", "", 500},
		{`{"quantity":3}`, "test.busy", "", 503},
		{`{"quantity":0}`, "request.invalid", "quantity", 422},
		{`{"quantity":1.5}`, "request.invalid", "quantity", 422},
		{`{"quantity":7,"colour":"red"}`, "request.invalid", "colour", 422},
		{`{"quantity":`, "request.malformed", "", 400},
		{`{"quantity":7}`, "", "", 204},
	} {
		r := httptest.NewRequest("PUT", "/api/v1/things/1", strings.NewReader(c.body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		market(t, mux).ServeHTTP(w, r)
		if strings.Contains(w.Body.String(), "hunter2") {
			t.Errorf("%s: shows the cause", c.body)
		}
		if w.Code != c.status {
			t.Errorf("%s: status %d, want %d: %s", c.body, w.Code, c.status, w.Body)
			continue
		}
		if c.status == 204 {
			continue
		}
		if got := w.Header().Get("Content-Type"); got != fault.ContentType {
			t.Errorf("%s: content type %q", c.body, got)
		}
		if f := fault.Decode(w.Code, w.Body.Bytes()); f.Code != c.code || f.Field != c.field {
			t.Errorf("%s: got %v, want %s on %q", c.body, f, c.code, c.field)
		}
		if c.status == 503 && w.Header().Get("Retry-After") == "" {
			t.Error("busy without Retry-After")
		}
	}
}

// hasty has the time for reading a body be over as soon as it is set, and waits for what comes
// of that.
type hasty struct {
	http.ResponseWriter
	r *http.Request
}

func (h hasty) SetReadDeadline(time.Time) error {
	err := http.NewResponseController(h.ResponseWriter).SetReadDeadline(time.Now())
	<-h.r.Context().Done()
	return err
}

// Who sends no body, where none is needed, can't be late with it: the call goes on however long
// it takes.
func TestNoBodyIsNeverLate(t *testing.T) {
	mux := http.NewServeMux()
	api := NewAPI(mux, About{Prefix: "/api", Title: "test", Groups: []Group{{Name: "Things"}}}, nil)
	Register(api, Call{ID: "takeThing", Group: "Things", Method: "POST", Path: "/api/v1/things/{id}/take", Summary: "Take a thing"}, func(ctx context.Context, in *struct {
		ID   string `path:"id"`
		Body *struct {
			Quantity int `json:"quantity"`
		}
	}) (*struct{}, error) {
		return nil, ctx.Err()
	})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { mux.ServeHTTP(hasty{w, r}, r) }))
	defer s.Close()
	res, err := http.Post(s.URL+"/api/v1/things/1/take", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusNoContent {
		t.Errorf("got %d, want 204", res.StatusCode)
	}
}

// Who leaves within a body is no failure of ours.
func TestWhoLeavesIsLate(t *testing.T) {
	mux := http.NewServeMux()
	api := NewAPI(mux, About{Prefix: "/api", Title: "test", Groups: []Group{{Name: "Things"}}}, nil)
	Register(api, Call{ID: "putThing", Group: "Things", Method: "PUT", Path: "/api/v1/things/{id}", Summary: "Put a thing"}, func(context.Context, *apiInput) (*struct{}, error) {
		t.Error("it is done")
		return nil, nil
	})
	answers := make(chan *httptest.ResponseRecorder, 1)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		answers <- w
	}))
	defer s.Close()
	c, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.WriteString(c, "PUT /api/v1/things/1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{\"quantity\"")
	if err := errors.Join(err, c.Close()); err != nil {
		t.Fatal(err)
	}
	w := <-answers
	if f := fault.Decode(w.Code, w.Body.Bytes()); w.Code != http.StatusRequestTimeout || f.Code != errLate.Code {
		t.Errorf("got %d %s, want 408 and %s", w.Code, w.Body, errLate.Code)
	}
}

// timed notes until when a body has to be there.
type timed struct {
	http.ResponseWriter
	until time.Time
}

func (w *timed) SetReadDeadline(t time.Time) error {
	w.until = t
	return nil
}

// A file, which may have megabytes, has more time to come than what is written.
func TestFilesHaveTheirTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mux := http.NewServeMux()
		api := NewAPI(mux, About{Prefix: "/api", Title: "test", Groups: []Group{{Name: "Things"}}}, nil)
		Register(api, Call{ID: "addFile", Group: "Things", Method: "POST", Path: "/api/v1/files", Summary: "Add a file", Media: []string{"image/png"}},
			func(context.Context, *struct{ RawBody []byte }) (*struct{}, error) { return nil, nil })
		Register(api, Call{ID: "addThing", Group: "Things", Method: "POST", Path: "/api/v1/things", Summary: "Add a thing"},
			func(context.Context, *struct{ Body struct{} }) (*struct{}, error) { return nil, nil })
		for path, want := range map[string]time.Duration{"/api/v1/files": time.Minute, "/api/v1/things": 5 * time.Second} {
			w := &timed{ResponseWriter: httptest.NewRecorder()}
			mux.ServeHTTP(w, httptest.NewRequest("POST", path, strings.NewReader("{}")))
			if got := time.Until(w.until); got != want {
				t.Errorf("%s: has %s, want %s", path, got, want)
			}
		}
	})
}

// Who leaves before there is an answer is no failure of ours. What fails otherwise is one, whoever
// has left, and so is an end that we have set ourselves.
func TestWhoLeavesIsNoFailure(t *testing.T) {
	canceled, leave := context.WithCancel(context.Background())
	leave()
	gone := fmt.Errorf("read the orders: %w", canceled.Err())
	for name, c := range map[string]struct {
		err    error
		leaves bool
		status string
	}{
		"left":                           {gone, true, "499"},
		"left before it was begun":       {fault.New(fault.Busy, "test.busy", "Later.").Because(gone), true, "499"},
		"left within a COMMIT":           {fault.New(fault.Unknown, "test.unknown", "Who knows.").Because(gone), true, "499"},
		"refused, and left":              {fault.ErrForbidden, true, "403"},
		"broken, and left":               {errors.New("dial 10.0.0.7: refused"), true, "500"},
		"broken, the look after it left": {fault.New(fault.Unknown, "test.unknown", "Who knows.").Because(errors.Join(errors.New("lost"), gone)), true, "504"},
		"a part of the work was ended":   {gone, false, "500"},
		"our time was over":              {fault.New(fault.Busy, "test.busy", "Later.").Because(context.DeadlineExceeded), false, "503"},
	} {
		mux := http.NewServeMux()
		mux.Handle("GET /page", Page(func(http.ResponseWriter, *http.Request) error { return c.err }))
		mux.HandleFunc("GET /guarded", func(w http.ResponseWriter, r *http.Request) {
			ops.Route(r.Context(), r.Pattern)
			WriteProblem(w, r, c.err)
		})
		api := NewAPI(mux, About{Prefix: "/api", Title: "test", Groups: []Group{{Name: "Things"}}}, nil)
		Register(api, Call{ID: "getThing", Group: "Things", Method: "GET", Path: "/api/v1/thing", Summary: "Get a thing"},
			func(context.Context, *struct{}) (*struct{}, error) { return nil, c.err })
		for _, path := range []string{"/page", "/guarded", "/api/v1/thing"} {
			ctx := t.Context()
			if c.leaves {
				ctx = canceled
			}
			var log bytes.Buffer
			m := ops.NewMetrics()
			ops.Requests(slog.New(slog.NewTextHandler(&log, nil)), m)(market(t, mux)).ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, "GET", path, nil))
			metrics := httptest.NewRecorder()
			m.Private(nil).ServeHTTP(metrics, httptest.NewRequest("GET", "/metrics", nil))
			if want := `{route="GET ` + path + `",status="` + c.status + `"} 1`; !strings.Contains(metrics.Body.String(), want) {
				t.Errorf("%s, %s: the metrics lack %s", name, path, want)
			}
			failure := c.status >= "500"
			if line := log.String(); !strings.Contains(line, "status="+c.status) || strings.Contains(line, "level=ERROR") != failure {
				t.Errorf("%s, %s: the log says %s", name, path, line)
			}
		}
	}
}

func TestAddressesKnowTheirMethods(t *testing.T) {
	mux := http.NewServeMux()
	for _, pattern := range []string{"GET /things/{id}", "POST /things/{id}", "GET /api/v1/things", "DELETE /api/v1/things"} {
		mux.HandleFunc(pattern, func(http.ResponseWriter, *http.Request) {})
	}
	mux.Handle("/", NotFound(mux))
	for _, c := range []struct {
		method, path, allow, media string
		status                     int
	}{
		{"POST", "/things/1", "", "", 200},
		{"PUT", "/things/1", "GET, HEAD, POST", "text/html; charset=utf-8", 405},
		{"PUT", "/api/v1/things", "GET, HEAD, DELETE", fault.ContentType, 405},
		{"TRACE", "/api/v1/things", "GET, HEAD, DELETE", fault.ContentType, 405},
		{"PUT", "/things", "", "text/html; charset=utf-8", 404},
		{"PUT", "/api/v1/nothing", "", fault.ContentType, 404},
	} {
		w := httptest.NewRecorder()
		market(t, mux).ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		if h := w.Header(); w.Code != c.status || h.Get("Allow") != c.allow || h.Get("Content-Type") != c.media {
			t.Errorf("%s %s: got %d %v, want %d and %q", c.method, c.path, w.Code, h, c.status, c.allow)
		}
	}
}
