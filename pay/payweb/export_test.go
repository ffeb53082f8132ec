package payweb_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"jishi/pay"
)

// The form on a wallet's page leads to a file that spreadsheets read as UTF-8; its last
// day is in it.
func TestTheStatementIsDownloaded(t *testing.T) {
	s := newSite(t, pay.Sandbox{})
	w, err := s.OpenWallet(t.Context(), alice, pay.NewWallet{TopUp: 1000}, "")
	if err != nil {
		t.Fatal(err)
	}
	forms := s.get(t, "/pay/wallets/"+string(w.ID)).all("form.export")
	if len(forms) != 1 {
		t.Fatalf("%d forms", len(forms))
	}
	for query, entries := range map[string]int{
		"?from=&to=": 1, "?from=2026-05-01&to=2026-05-01": 1, "?to=2026-04-30": 0, "?from=2026-05-02": 0,
	} {
		r := httptest.NewRequest("GET", attr(forms[0], "action")+query, nil)
		r.Header.Set("X-User", string(alice))
		rec := httptest.NewRecorder()
		s.handler.ServeHTTP(rec, r)
		body, marked := strings.CutPrefix(rec.Body.String(), "\ufeff")
		if !marked || rec.Header().Get("Content-Type") != "text/csv; charset=utf-8" || !strings.HasPrefix(body, "created_at,") {
			t.Errorf("%s: %v %q", query, rec.Header(), body)
		}
		if n := strings.Count(body, ",topup,"); n != entries {
			t.Errorf("%s: %d entries, want %d", query, n, entries)
		}
	}
	if p := s.do(t, alice, "GET", "/pay/wallets/"+string(w.ID)+"/statement.csv?from=yesterday", nil); p.status != 422 {
		t.Errorf("a day that is none: %d", p.status)
	}
	if p := s.do(t, "usr_bob", "GET", "/pay/wallets/"+string(w.ID)+"/statement.csv", nil); p.status != 404 {
		t.Errorf("another's wallet: %d", p.status)
	}
}
