package auth

import (
	"errors"
	"testing"
	"time"
)

// A token is what its type says, whatever its claims look like (RFC 8725, 3.11).
func TestTokensAreNotMistaken(t *testing.T) {
	each(t, func(t *testing.T, s *Service) {
		ctx := t.Context()
		access := s.access("usr_1", "cli", []string{"shop"}, time.Minute)
		id := IDClaims{Issuer: s.issuer, Subject: "usr_1", Audience: "shop", SessionID: "sid_1"}
		for _, typ := range []string{typeAccess, typeID, typeLogout} {
			raw, err := s.sign(ctx, typ, access)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Access(ctx, raw, "shop"); (err == nil) != (typ == typeAccess) || (err != nil && !errors.Is(err, ErrToken)) {
				t.Errorf("%s as an access token: %v", typ, err)
			}
			if raw, err = s.sign(ctx, typ, id); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Hint(ctx, raw); (err == nil) != (typ == typeID) {
				t.Errorf("%s as an id_token: %v", typ, err)
			}
		}
	})
}

func TestAccessTokensEnd(t *testing.T) {
	clk := newClock()
	each(t, func(t *testing.T, s *Service) {
		raw, err := s.sign(t.Context(), typeAccess, s.access("usr_1", "cli", []string{"shop"}, time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Access(t.Context(), raw, "pay"); !errors.Is(err, ErrToken) {
			t.Errorf("another audience: got %v", err)
		}
		clk.pass(time.Minute + leeway)
		if _, err := s.Access(t.Context(), raw, "shop"); !errors.Is(err, ErrToken) {
			t.Errorf("over: got %v", err)
		}
	}, clk.set)
}
