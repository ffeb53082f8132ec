package auth

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"

	"jishi/auth/authclient"
)

// HashCost is how much work a password hash is (argon2id, RFC 9106).
type HashCost struct {
	Memory  uint32 // KiB
	Time    uint32 // passes
	Threads uint8
}

// DefaultCost is OWASP's first choice: about 20 ms and 19 MiB a hash.
var DefaultCost = HashCost{Memory: 19 * 1024, Time: 2, Threads: 1}

const (
	saltSize = 16
	hashSize = 32
)

var b64 = base64.RawStdEncoding

// checkPassword tells whether a password may be used. It is kept exactly as it is:
// nothing trimmed, folded or cut (ASVS 6.2.8).
func checkPassword(password string) error {
	if n := utf8.RuneCountInString(password); n < 8 || n > 256 {
		return authclient.ErrPassword
	}
	return nil
}

// hash gives the PHC string of a password with a new salt.
func (c HashCost) hash(password string) string {
	salt := make([]byte, saltSize)
	rand.Read(salt)
	sum := argon2.IDKey([]byte(password), salt, c.Time, c.Memory, c.Threads, hashSize)
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s",
		argon2.Version, c.Memory, c.Time, c.Threads, b64.EncodeToString(salt), b64.EncodeToString(sum))
}

var errPHC = errors.New("stored password hash can't be read")

// verify compares a password with a PHC string, at the cost that the string names.
func verify(password, phc string) (ok bool, cost HashCost, err error) {
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return false, cost, errPHC
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &cost.Memory, &cost.Time, &cost.Threads); err != nil {
		return false, cost, fmt.Errorf("%w: %w", errPHC, err)
	}
	salt, err := b64.DecodeString(parts[4])
	if err != nil {
		return false, cost, fmt.Errorf("%w: %w", errPHC, err)
	}
	want, err := b64.DecodeString(parts[5])
	if err != nil || len(want) == 0 {
		return false, cost, errPHC
	}
	got := argon2.IDKey([]byte(password), salt, cost.Time, cost.Memory, cost.Threads, uint32(len(want))) // #nosec G115 -- a hash of ours is 32 bytes
	return subtle.ConstantTimeCompare(got, want) == 1, cost, nil
}

// hasher hashes passwords behind a gate: each hash takes a core and 19 MiB, so 60
// logins at once would take over a gigabyte. A bounded queue waits before the gate
// for a bounded time; who finds it full, or waits longer, is told to come back.
type hasher struct {
	cost     HashCost
	dummy    string // hash of a password that nobody has
	slots    chan struct{}
	waiting  atomic.Int64
	queue    int64
	patience time.Duration
}

func newHasher(cost HashCost, queue int, patience time.Duration) *hasher {
	return &hasher{
		cost:     cost,
		dummy:    cost.hash(rand.Text()),
		slots:    make(chan struct{}, runtime.GOMAXPROCS(0)),
		queue:    int64(queue),
		patience: patience,
	}
}

// through runs work with one of the slots. Refusal: authclient.ErrBusy.
func (h *hasher) through(ctx context.Context, work func()) error {
	if h.waiting.Add(1) > h.queue+int64(cap(h.slots)) {
		h.waiting.Add(-1)
		return authclient.ErrBusy
	}
	defer h.waiting.Add(-1)
	patience := time.NewTimer(h.patience)
	defer patience.Stop()
	select {
	case h.slots <- struct{}{}:
	case <-patience.C:
		return authclient.ErrBusy
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-h.slots }()
	work()
	return nil
}

// hash makes the PHC string to be stored.
func (h *hasher) hash(ctx context.Context, password string) (string, error) {
	var phc string
	err := h.through(ctx, func() { phc = h.cost.hash(password) })
	return phc, err
}

// verify compares; stale tells that the hash was made at another cost than today's.
// An empty phc stands for a user who doesn't exist: it costs the same and fails.
func (h *hasher) verify(ctx context.Context, password, phc string) (ok, stale bool, err error) {
	nobody := phc == ""
	if nobody {
		phc = h.dummy
	}
	var cost HashCost
	var failed error
	if err := h.through(ctx, func() { ok, cost, failed = verify(password, phc) }); err != nil {
		return false, false, err
	}
	if failed != nil {
		return false, false, failed
	}
	return ok && !nobody, cost != h.cost, nil
}
