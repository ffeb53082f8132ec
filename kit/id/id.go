// Package id makes prefixed ids such as ord_06f3kq0c8dv3t2mjh41m6r9s5g: what the
// thing is, and a UUIDv7 (RFC 9562) in lower-case base32hex, whose order as text is
// the order of creation up to a millisecond.
package id

import (
	"encoding/base32"
	"encoding/binary"
	"strings"
	"time"

	"github.com/google/uuid"
)

var encoding = base32.HexEncoding.WithPadding(base32.NoPadding)

// size is the length of 16 bytes in base32.
const size = 26

// New makes an id, "ord" giving "ord_…". It panics when the system has no randomness.
func New(prefix string) string {
	u := uuid.Must(uuid.NewV7())
	return prefix + "_" + strings.ToLower(encoding.EncodeToString(u[:]))
}

// Since is the least id that can have been made at a time or later.
func Since(prefix string, t time.Time) string {
	var u uuid.UUID
	binary.BigEndian.PutUint64(u[:], uint64(max(t.UnixMilli(), 0))<<16)
	return prefix + "_" + strings.ToLower(encoding.EncodeToString(u[:]))
}

// Valid tells whether s has the form of an id with that prefix. It says nothing of
// whether such a thing exists.
func Valid(prefix, s string) bool {
	body, ok := strings.CutPrefix(s, prefix+"_")
	if !ok || len(body) != size {
		return false
	}
	for _, c := range body {
		if (c < '0' || c > '9') && (c < 'a' || c > 'v') {
			return false
		}
	}
	return true
}
