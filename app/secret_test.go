package app

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"jishi/conf"
	"jishi/kit/money"
	"jishi/kit/web"
	"jishi/pay"
)

// Processes that start together on an empty directory end with the same secret.
func TestOneSecretForAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "secret")
	var got [16][]byte
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			s, err := loadSecrets(path)
			if err != nil {
				t.Error(err)
				return
			}
			got[i] = s[0]
		})
	}
	wg.Wait()
	for _, s := range got {
		if !bytes.Equal(s, got[0]) {
			t.Fatal("two secrets")
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v; want 0600", info.Mode(), err)
	}
}

// A market that is there gets no new secret in place of its own: neither beside its files, nor where
// only what is in its databases tells.
func TestAMarketKeepsItsSecret(t *testing.T) {
	c := &conf.Config{BaseURL: "http://localhost:8080", Data: t.TempDir(), Currency: money.CNY, OrderDeadline: time.Hour, PhoneRegion: "CN"}
	open := func() error {
		m, err := Open(t.Context(), c, conf.Modules, slog.New(slog.DiscardHandler))
		if err == nil {
			err = m.Close()
		}
		return err
	}
	if err := open(); err != nil {
		t.Fatal(err)
	}
	kept, err := os.ReadFile(c.Secrets())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(c.Secrets()); err != nil {
		t.Fatal(err)
	}
	if err := open(); err == nil || !strings.Contains(err.Error(), "want the secret file of the market") {
		t.Errorf("without it: %v", err)
	}
	if _, err := os.Stat(c.Secrets()); err == nil {
		t.Error("there is another one")
	}
	setSecrets(t, c, web.NewSecret())
	if err := open(); err == nil || !strings.Contains(err.Error(), "want the secret file of the market") {
		t.Errorf("with another one: %v", err)
	}
	if err := os.WriteFile(c.Secrets(), kept, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := open(); err != nil {
		t.Errorf("with its own again: %v", err)
	}
}

func TestABadSecretFileIsRefused(t *testing.T) {
	for name, text := range map[string]string{"empty": "\n", "short": "c2hvcnQ=\n", "no base64": "hello!\n"} {
		path := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := loadSecrets(path); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// A market that ran with a new secret before the old one goes on without the old one: its
// signing key and its merchants' webhook secrets are what they were.
func TestASecretIsReplaced(t *testing.T) {
	c := &conf.Config{BaseURL: "http://localhost:8080", Data: t.TempDir(), Currency: money.CNY, OrderDeadline: time.Hour, PhoneRegion: "CN"}
	old, young := web.NewSecret(), web.NewSecret()
	setSecrets(t, c, old)
	key, webhook := stored(t, c)
	for _, secrets := range []web.Secrets{{old, young}, {young, old}} {
		setSecrets(t, c, secrets...)
		if k, w := stored(t, c); k != key || w != webhook {
			t.Errorf("key %s, webhook secret %s; want %s and %s", k, w, key, webhook)
		}
	}
	runUntil(t, c, "resealed under the newest secret", "auth", "pay")
	setSecrets(t, c, young)
	if k, w := stored(t, c); k != key || w != webhook {
		t.Errorf("without the old secret: key %s, webhook secret %s; want %s and %s", k, w, key, webhook)
	}
}

func setSecrets(t *testing.T, c *conf.Config, secrets ...[]byte) {
	t.Helper()
	var text []byte
	for _, s := range secrets {
		text = fmt.Appendln(text, base64.StdEncoding.EncodeToString(s))
	}
	if err := os.WriteFile(c.Secrets(), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// stored is what the secrets open: the id of the signing key and the secret of a merchant's
// webhook, which the first call makes.
func stored(t *testing.T, c *conf.Config) (key, webhook string) {
	t.Helper()
	m, err := prepare(c, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	a, err := m.authService(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	set, err := a.Keys(t.Context())
	if err != nil || len(set.Keys) != 1 {
		t.Fatalf("%d keys, %v, want 1", len(set.Keys), err)
	}
	p, _, err := m.payService(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	w, err := p.CreateWebhook(t.Context(), pay.Caller{Merchant: "other"}, "https://other.test/hook", "key")
	if err != nil {
		t.Fatal(err)
	}
	return set.Keys[0].KeyID, w.Secret
}
