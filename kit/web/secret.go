package web

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
)

// Secrets are the market's secrets, newest first: the first one seals and signs, all
// of them open. Services that work together share them.
type Secrets [][]byte

// NewSecret makes one, 256 bits.
func NewSecret() []byte {
	s := make([]byte, 32)
	rand.Read(s) // never fails: crypto/rand ends the program instead
	return s
}

// Key derives a key of 32 bytes for one purpose from each secret (HKDF, RFC 5869),
// newest first, so that keys of different purposes say nothing of each other.
func (s Secrets) Key(purpose string) [][]byte {
	keys := make([][]byte, len(s))
	for i, secret := range s {
		k, err := hkdf.Key(sha256.New, secret, nil, "jishi "+purpose, 32)
		if err != nil {
			panic(err) // only a length that HKDF can't give
		}
		keys[i] = k
	}
	return keys
}

var errSeal = errors.New("sealed value can't be opened")

// Sealer encrypts and authenticates what leaves the server: cookies, stored tokens.
type Sealer struct{ aeads []cipher.AEAD }

// NewSealer takes keys of 32 bytes, newest first (AES-256-GCM).
func NewSealer(keys [][]byte) *Sealer {
	s := &Sealer{}
	for _, k := range keys {
		block, err := aes.NewCipher(k)
		if err != nil {
			panic(err) // only a key of the wrong length
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			panic(err)
		}
		s.aeads = append(s.aeads, aead)
	}
	return s
}

// Seal gives text that only Open with the same purpose reads, URL-safe.
func (s *Sealer) Seal(purpose string, plain []byte) string {
	return base64.RawURLEncoding.EncodeToString(s.aeads[0].Seal(nil, nil, plain, []byte(purpose)))
}

// Open reads what Seal gave, with the newest or an older key. A value that was
// forged, cut or made for another purpose is an error.
func (s *Sealer) Open(purpose, sealed string) ([]byte, error) {
	plain, _, err := s.open(purpose, sealed)
	return plain, err
}

// Reseal gives what Seal gave with an older key as the newest one seals it, so that the older
// one can go; "" where it is the newest's already.
func (s *Sealer) Reseal(purpose, sealed string) (fresh string, err error) {
	plain, key, err := s.open(purpose, sealed)
	if err != nil || key == 0 {
		return "", err
	}
	return s.Seal(purpose, plain), nil
}

// open tells which key did it.
func (s *Sealer) open(purpose, sealed string) (plain []byte, key int, err error) {
	b, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return nil, 0, fmt.Errorf("decode a sealed value: %w", err)
	}
	for i, aead := range s.aeads {
		if plain, err := aead.Open(nil, nil, b, []byte(purpose)); err == nil {
			return plain, i, nil
		}
	}
	return nil, 0, errSeal
}
