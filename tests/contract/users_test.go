package contract_test

import (
	"testing"

	"jishi/tests/harness"
)

func (w *world) users(t *testing.T) {
	const users = "<auth>/users"
	w.do(t,
		call{name: "a phone number, as people type it", method: "POST", path: users,
			body:   `{"identifier":"138 0013 8000","password":"correct horse"}`,
			status: 201, want: `{"identifier":"+8613800138000","name":"138****8000"}`},
		call{name: "an address, with a name", method: "POST", path: users,
			body:   `{"identifier":"Dora@Example.com","password":"correct horse","name":"Dora 朵拉"}`,
			status: 201, want: `{"name":"Dora 朵拉"}`},
		call{name: "a number that somebody has", method: "POST", path: users,
			body:   `{"identifier":"+86 13800138000","password":"another horse"}`,
			status: 409, code: "auth.taken", field: "identifier"},
		call{name: "an address that somebody has, in other letters", method: "POST", path: users,
			body:   `{"identifier":"dora@example.COM","password":"another horse"}`,
			status: 409, code: "auth.taken", field: "identifier"},
		call{name: "neither number nor address", method: "POST", path: users,
			body:   `{"identifier":"dora","password":"correct horse"}`,
			status: 422, code: "auth.identifier", field: "identifier"},
		call{name: "no identifier", method: "POST", path: users,
			body:   `{"password":"correct horse"}`,
			status: 422, code: "request.invalid", field: "identifier"},
		call{name: "7 characters", method: "POST", path: users,
			body:   `{"identifier":"eve@example.com","password":"1234567"}`,
			status: 422, code: "auth.password_length", field: "password"},
		call{name: "257 characters", method: "POST", path: users,
			body:   `{"identifier":"eve@example.com","password":"` + long(257) + `"}`,
			status: 422, code: "auth.password_length", field: "password"},
		call{name: "a name that is too long", method: "POST", path: users,
			body:   `{"identifier":"eve@example.com","password":"correct horse","name":"` + long(65) + `"}`,
			status: 422, code: "auth.name", field: "name"},
		call{name: "who I am", as: "ann", method: "GET", path: "<auth>/me",
			status: 200, want: `{"id":"<ann>","identifier":"ann@example.com","name":"ann"}`},
		call{name: "what I want to be called", as: "carl", method: "PATCH", path: "<auth>/me", body: `{"name":"Carla"}`, status: 200, want: `{"id":"<carl>","name":"Carla"}`},
		call{name: "nothing in particular", as: "carl", method: "PATCH", path: "<auth>/me", body: `{"name":""}`, status: 200, want: `{"name":"c***@example.com"}`},
		call{name: "too much", as: "carl", method: "PATCH", path: "<auth>/me", body: `{"name":"` + long(65) + `"}`, status: 422, code: "auth.name", field: "name"},
	)

	const sessions = "<auth>/me/sessions"
	for range 2 {
		harness.NewVisitor(t).LogIn(t, w.market, "bob@example.com")
	}
	two := w.one(t, call{name: "where I am logged in", as: "bob", method: "GET", path: sessions, status: 200, want: `{"items":[{"current":false},{"current":false}]}`})
	if items, _ := two.document["items"].([]any); len(items) == 2 {
		w.thing["session"], _ = items[0].(map[string]any)["id"].(string)
		w.thing["other session"], _ = items[1].(map[string]any)["id"].(string)
	}
	w.do(t,
		call{name: "somebody else's is not there", as: "carl", method: "DELETE", path: sessions + "/<session>", status: 404, code: "auth.no_session"},
		call{name: "log out there", as: "bob", method: "DELETE", path: sessions + "/<session>", status: 204},
		call{name: "log out where I am not", as: "bob", method: "DELETE", path: sessions + "/none", status: 404, code: "auth.no_session"},
		call{name: "still here", as: "bob", method: "GET", path: sessions, status: 200, want: `{"items":[{"id":"<other session>"}]}`},
		call{name: "log out everywhere", as: "bob", method: "DELETE", path: sessions, status: 204},
		call{name: "nowhere now", as: "bob", method: "GET", path: sessions, status: 200, want: `{"items":[]}`},
	)
}
