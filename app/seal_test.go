package app

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"jishi/conf"
)

// sealedMarket is the market of bought with its chains made, as a running one would, and
// their heads as its log has them.
func sealedMarket(t *testing.T) (*conf.Config, map[string]string) {
	t.Helper()
	c := bought(t)
	heads := map[string]string{}
	for _, module := range []string{"pay", "shop"} {
		ctx, stop := context.WithCancel(t.Context())
		log := slog.New(slog.NewTextHandler(lines(func(line string) {
			_, head, found := strings.Cut(line, "head=")
			if found {
				heads[module] = strings.TrimPrefix(strings.Trim(strings.TrimSpace(head), `"`), module+"=")
			}
			stop()
		}), nil))
		m, err := prepare(c, nil, log)
		if err != nil {
			t.Fatal(err)
		}
		db, err := m.open(ctx, module)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.seal(ctx, module, db); err != nil {
			t.Fatal(err)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return c, heads
}

// lines is a writer that gives each line to a function.
type lines func(string)

func (l lines) Write(line []byte) (int, error) {
	l(string(line))
	return len(line), nil
}

// runUntil runs modules until the log has said the message of each of them.
func runUntil(t *testing.T, c *conf.Config, message string, modules ...string) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	said := map[string]bool{} // written under the handler's lock
	log := slog.New(slog.NewJSONHandler(lines(func(line string) {
		var l struct{ Msg, Module string }
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Error(err)
		}
		if l.Msg == message {
			said[l.Module] = true
		}
		if len(said) == len(modules) {
			stop()
		}
	}), nil))
	m, err := Open(ctx, c, modules, log)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	if err := m.Run(ctx); err != nil || len(said) != len(modules) {
		t.Fatalf("of %v only %v said %q, %v", modules, said, message, err)
	}
}

func execute(t *testing.T, c *conf.Config, module string, statements ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(c.Data, module+".db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
}

// A market that runs seals what its ledgers write, by itself.
func TestAMarketThatRunsSeals(t *testing.T) {
	runUntil(t, bought(t), "sealed", "pay", "shop")
}

// What is changed after it was sealed is found, though everything else still adds up; an
// end that was cut off with the head from the log.
func TestVerifyReadsTheChains(t *testing.T) {
	for name, c := range map[string]struct {
		module     string
		statements []string
		want       string
	}{
		"nothing":         {"pay", nil, ""},
		"a code":          {"pay", []string{"UPDATE transfers SET ref = 'another'"}, "VIOLATED the chain of seals holds: pay seal 1: "},
		"a time":          {"shop", []string{"UPDATE transfers SET at = at + 1"}, "VIOLATED the chain of seals holds: shop seal 1: "},
		"a chain cut off": {"pay", []string{"DELETE FROM seals", "UPDATE batches SET seal = NULL"}, "VIOLATED the chain of seals holds: pay seal 1: it is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			conf, heads := sealedMarket(t)
			execute(t, conf, c.module, c.statements...)
			var out bytes.Buffer
			err := Verify(t.Context(), conf, Scope{Modules: []string{"pay", "shop"}, Heads: heads}, &out)
			if c.want == "" && (err != nil || !strings.Contains(out.String(), "pay: 4 transfers in 1 seals, 0 wait for one, head "+heads["pay"])) {
				t.Errorf("got %v\n%s", err, &out)
			}
			if c.want != "" && (!errors.Is(err, ErrBroken) || !strings.Contains(out.String(), c.want)) {
				t.Errorf("got %v, want %q in\n%s", err, c.want, &out)
			}
		})
	}
}

func TestAHeadThatIsComparedWithNothingIsRefused(t *testing.T) {
	c := &conf.Config{Data: t.TempDir()}
	for _, heads := range []map[string]string{{"pay": "1:ab"}, {"auth": "1:" + strings.Repeat("ab", 32)}, {"shop": "1:" + strings.Repeat("ab", 32)}} {
		err := Verify(t.Context(), c, Scope{Modules: []string{"auth", "pay"}, Heads: heads}, io.Discard)
		if err == nil || !strings.HasPrefix(err.Error(), "head of ") {
			t.Errorf("%v: got %v", heads, err)
		}
	}
}
