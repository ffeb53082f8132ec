package hostile_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// ownKey is an attacker's.
func ownKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// signed is a token that an attacker signs.
func signed(t testing.TB, alg jose.SignatureAlgorithm, key any, typ string, claims []byte) string {
	t.Helper()
	return sign(t, alg, key, (&jose.SignerOptions{}).WithType(jose.ContentType(typ)), claims)
}

// embedded brings the key that proves it along.
func embedded(t testing.TB, claims []byte) string {
	t.Helper()
	return sign(t, jose.ES256, ownKey(t), (&jose.SignerOptions{EmbedJWK: true}).WithType("at+jwt"), claims)
}

func sign(t testing.TB, alg jose.SignatureAlgorithm, key any, o *jose.SignerOptions, claims []byte) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, o)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := s.Sign(claims)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}
