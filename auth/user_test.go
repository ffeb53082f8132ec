package auth

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/fault"
)

func TestRegisterAndLogIn(t *testing.T) {
	each(t, func(t *testing.T, s *Service) {
		u := register(t, s, alice)
		if u.Identifier != "+8613800138000" || u.Name != "138****8000" {
			t.Errorf("got %+v", u)
		}
		for _, typed := range []string{alice, "+86 138 0013 8000", "138-0013-8000"} {
			got, err := check(t.Context(), s, typed, password, "192.0.2.1")
			if err != nil || got != u {
				t.Errorf("%s: got %+v, %v, want %+v", typed, got, err, u)
			}
		}
	})
}

// A wrong password and a user who doesn't exist get the same answer through the same gate.
func TestUnknownUserIsLikeWrongPassword(t *testing.T) {
	each(t, func(t *testing.T, s *Service) {
		register(t, s, alice)
		_, wrong := check(t.Context(), s, alice, "wrong password", "192.0.2.1")
		for _, nobody := range []string{"13900139000", "nobody@example.com", "not an identifier", ""} {
			_, err := check(t.Context(), s, nobody, password, "192.0.2.1")
			if !errors.Is(err, ErrLogin) || err.Error() != wrong.Error() {
				t.Errorf("%q: got %v, want %v", nobody, err, wrong)
			}
		}
	})
}

// Where no hash can be had neither can be answered: whether there is such a user, it is the
// same work behind the same gate.
func TestUnknownUsersCostAHash(t *testing.T) {
	each(t, func(t *testing.T, s *Service) {
		register(t, s, alice)
		s.hasher.patience = 0
		for range cap(s.hasher.slots) {
			s.hasher.slots <- struct{}{}
		}
		for _, who := range []string{alice, "13900139000", "nobody@example.com", "not an identifier", ""} {
			if _, err := check(t.Context(), s, who, "wrong password", "192.0.2.1"); !errors.Is(err, authclient.ErrBusy) {
				t.Errorf("%q: got %v, want %v", who, err, authclient.ErrBusy)
			}
		}
	})
}

func TestAllThatIsWrongIsNamed(t *testing.T) {
	each(t, func(t *testing.T, s *Service) {
		repeat := "another"
		_, err := s.Register(t.Context(), Registration{
			NewUser: authclient.NewUser{Identifier: "x", Password: "short", Name: "a\x00"}, Repeat: &repeat,
		})
		for _, want := range []error{authclient.ErrIdentifier, authclient.ErrPassword, authclient.ErrName, ErrRepeat} {
			if !errors.Is(err, want) {
				t.Errorf("%v isn't among %v", want, err)
			}
		}
		if n := len(fault.All(err)); n != 4 {
			t.Errorf("%d refusals, want 4", n)
		}
	})
}

// Of many who register with one number at once, one gets it.
func TestOneNumberOneUser(t *testing.T) {
	each(t, func(t *testing.T, s *Service) {
		var made atomic.Int64
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				_, err := s.Register(t.Context(), Registration{NewUser: authclient.NewUser{Identifier: alice, Password: password}})
				switch {
				case err == nil:
					made.Add(1)
				case !errors.Is(err, authclient.ErrTaken):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if made.Load() != 1 {
			t.Errorf("%d users, want 1", made.Load())
		}
	})
}

// A form that is sent twice registers once and answers twice; with another password it
// is somebody else's attempt.
func TestRegistrationIsIdempotent(t *testing.T) {
	each(t, func(t *testing.T, s *Service) {
		in := Registration{NewUser: authclient.NewUser{Identifier: alice, Password: password}, Key: "K"}
		var ids [5]string
		var wg sync.WaitGroup
		for i := range ids {
			wg.Go(func() {
				u, err := s.Register(t.Context(), in)
				if err != nil {
					t.Error(err)
				}
				ids[i] = u.ID
			})
		}
		wg.Wait()
		for _, id := range ids {
			if id != ids[0] {
				t.Errorf("got users %v, want one", ids)
			}
		}
		in.Password = "something else"
		if _, err := s.Register(t.Context(), in); !errors.Is(err, authclient.ErrTaken) {
			t.Errorf("got %v, want taken", err)
		}
	})
}

// Guessing stops before anything is hashed, and the right password of a user who isn't
// guessed at goes on working.
func TestGuessingIsLimited(t *testing.T) {
	each(t, func(t *testing.T, s *Service) {
		register(t, s, alice)
		register(t, s, "bob@example.com")
		var wrong, limited int
		for range 20 {
			_, err := check(t.Context(), s, alice, "a wrong guess", "192.0.2.1")
			switch {
			case errors.Is(err, ErrLogin):
				wrong++
			case errors.Is(err, authclient.ErrLimited):
				limited++
			default:
				t.Fatal(err)
			}
		}
		if wrong != 5 || limited != 15 {
			t.Errorf("%d guesses and %d refusals, want 5 and 15", wrong, limited)
		}
		for range 12 { // successes count nothing
			if _, err := check(t.Context(), s, "bob@example.com", password, "192.0.2.2"); err != nil {
				t.Fatal(err)
			}
		}
		for i := range 5 { // with the 5 guesses the address has used its 10
			if _, err := check(t.Context(), s, fmt.Sprintf("u%d@example.com", i), "a wrong guess", "192.0.2.1"); !errors.Is(err, ErrLogin) {
				t.Fatalf("guess %d: %v", i, err)
			}
		}
		if _, err := check(t.Context(), s, "bob@example.com", password, "192.0.2.1"); !errors.Is(err, authclient.ErrLimited) {
			t.Errorf("got %v, want the address limited", err)
		}
	}, func(c *Config) {
		c.Limits = Limits{Window: 10 * time.Minute, FailuresPerUser: 5, FailuresPerAddress: 10}
		c.Now = newClock().now
	})
}

// leaver ends a context when the user has been looked for, or before.
type leaver struct {
	leave  context.CancelFunc
	before bool
}

func (l leaver) BeforeQuery(ctx context.Context, e *bun.QueryEvent) context.Context {
	if l.before && strings.Contains(e.Query, "users") {
		l.leave()
	}
	return ctx
}

func (l leaver) AfterQuery(_ context.Context, e *bun.QueryEvent) {
	if strings.Contains(e.Query, "users") {
		l.leave()
	}
}

// Whose browser leaves before there is an answer has guessed nothing.
func TestWhoLeavesHasGuessedNothing(t *testing.T) {
	each(t, func(t *testing.T, s *Service) {
		register(t, s, alice)
		s.hasher.slots = make(chan struct{}) // a hash begins when it is received from, and ends when it is sent to
		for when, before := range map[string]bool{"before the user is read": true, "before the hash": false} {
			ctx, leave := context.WithCancel(t.Context())
			db := s.db.NewSelect().DB()
			db.AddQueryHook(leaver{leave, before})
			_, err := check(ctx, s, alice, password, "192.0.2.1")
			db.ResetQueryHooks()
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s: got %v", when, err)
			}
			wantAttempts(t, s, when, 0)
		}
		for when, c := range map[string]struct {
			password string
			err      error
			want     int
		}{
			"during the hash of the right password": {password, nil, 0},
			"during that of a wrong one":            {"a wrong guess", ErrLogin, 2},
		} {
			ctx, leave := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			wg.Go(func() {
				if _, err := check(ctx, s, alice, c.password, "192.0.2.1"); !errors.Is(err, c.err) {
					t.Errorf("%s: got %v, want %v", when, err, c.err)
				}
			})
			<-s.hasher.slots
			leave()
			s.hasher.slots <- struct{}{}
			wg.Wait()
			wantAttempts(t, s, when, c.want)
		}
	}, func(c *Config) {
		c.Limits = Limits{FailuresPerUser: 5, FailuresPerAddress: 10}
		c.Now = newClock().now
	})
}

// wantAttempts counts what the budgets of everybody have lost, and gives it back.
func wantAttempts(t *testing.T, s *Service, when string, want int) {
	t.Helper()
	var rows []attemptRow
	if err := s.db.NewSelect().Model(&rows).Scan(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := 0
	for _, r := range rows {
		got += int(r.Count)
	}
	if got != want {
		t.Errorf("%s: %d attempts are counted, want %d", when, got, want)
	}
	err := s.db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewDelete().Model((*attemptRow)(nil)).Where("period >= 0").Exec(ctx)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A window that is over still counts for the share that lies less than a window back.
func TestLimitsSlide(t *testing.T) {
	c := newClock()
	each(t, func(t *testing.T, s *Service) {
		c.at = newClock().at
		b := newBudget("test", "x", 10)
		for range 10 {
			if err := s.spend(t.Context(), b); err != nil {
				t.Fatal(err)
			}
		}
		c.pass(15 * time.Minute) // the middle of the next window
		for i := range 5 {
			if err := s.spend(t.Context(), b); err != nil {
				t.Fatalf("attempt %d: %v", i, err)
			}
		}
		if err := s.spend(t.Context(), b); !errors.Is(err, authclient.ErrLimited) {
			t.Errorf("got %v, want limited", err)
		}
	}, func(config *Config) {
		c.set(config)
		config.Limits = Limits{Window: 10 * time.Minute}
	})
}

// Counters are exact when everybody comes at once.
func TestBudgetsUnderARace(t *testing.T) {
	each(t, func(t *testing.T, s *Service) {
		b := newBudget("test", "race", 7)
		var passed atomic.Int64
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				err := s.spend(t.Context(), b)
				switch {
				case err == nil:
					passed.Add(1)
				case !errors.Is(err, authclient.ErrLimited):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if passed.Load() != 7 {
			t.Errorf("%d passed, want 7", passed.Load())
		}
	})
}

func TestAddressesOfOnePerson(t *testing.T) {
	for a, want := range map[string]string{
		"192.0.2.7": "192.0.2.7", "::ffff:192.0.2.7": "192.0.2.7",
		"2001:db8:1:2:3:4:5:6": "2001:db8:1:2::/64", "fe80::1%eth0": "fe80::/64", "local": "local",
		"192.0.2.7:8080": "192.0.2.7", "[2001:db8:1:2:3:4:5:6]:8080": "2001:db8:1:2::/64",
	} {
		if got := network(a); got != want {
			t.Errorf("%s: got %s, want %s", a, got, want)
		}
	}
}

// A password that was hashed at an older cost is hashed anew at its next login.
func TestRehash(t *testing.T) {
	each(t, func(t *testing.T, s *Service) {
		u := register(t, s, alice)
		old := HashCost{Memory: 32, Time: 1, Threads: 1}.hash(password)
		err := s.db.InTx(t.Context(), func(ctx context.Context, tx bun.Tx) error {
			_, err := tx.NewUpdate().Model((*userRow)(nil)).Set("password = ?", old).Where("id = ?", u.ID).Exec(ctx)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := check(t.Context(), s, alice, password, ""); err != nil {
				t.Fatal(err)
			}
		}
		row, err := s.user(t.Context(), authclient.UserID(u.ID))
		if err != nil {
			t.Fatal(err)
		}
		if _, cost, err := verify(password, row.Password); err != nil || cost != cheap {
			t.Errorf("got %+v, %v, want today's cost", cost, err)
		}
	})
}

func TestRename(t *testing.T) {
	each(t, func(t *testing.T, s *Service) {
		u := register(t, s, alice)
		id := authclient.UserID(u.ID)
		for _, c := range []struct{ name, want string }{{"小明", "小明"}, {"", "138****8000"}} {
			if err := s.Rename(t.Context(), id, c.name); err != nil {
				t.Fatal(err)
			}
			if got, err := s.User(t.Context(), id); err != nil || got.Name != c.want {
				t.Errorf("got %+v, %v, want %s", got, err, c.want)
			}
		}
		if _, err := s.User(t.Context(), "usr_nobody"); !errors.Is(err, authclient.ErrNoUser) {
			t.Errorf("got %v", err)
		}
	})
}
