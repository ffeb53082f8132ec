package auth

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/uptrace/bun"

	"jishi/auth/authclient"
	"jishi/kit/database"
	"jishi/kit/fault"
	"jishi/kit/id"
)

// What only auth's own doors refuse.
var (
	// ErrLogin says the same of a wrong password and of a user who doesn't exist.
	ErrLogin  = fault.New(fault.Unauthenticated, "auth.login", "This user and password don't belong together.").On("password")
	ErrRepeat = fault.New(fault.Invalid, "auth.password_repeat", "The two passwords are not the same.").On("password_repeat")
	// ErrFresh asks for the password again although somebody is logged in.
	ErrFresh = fault.New(fault.Unauthenticated, "auth.fresh", "Please log in again to go on.")
)

// userRow is a user. The identifier's and the hash's columns are binary.
type userRow struct {
	bun.BaseModel `bun:"table:users"`

	ID         authclient.UserID `bun:"id,pk"`
	Identifier identifier        `bun:"identifier"`
	Name       string            `bun:"name"` // as chosen; may be empty
	Password   string            `bun:"password"`
	CreatedAt  database.Time     `bun:"created_at"`
}

// shown is what others call the user.
func (u userRow) shown() string {
	if u.Name != "" {
		return u.Name
	}
	return u.Identifier.masked()
}

func (u userRow) document() authclient.User {
	return authclient.User{ID: string(u.ID), Identifier: string(u.Identifier), Name: u.shown()}
}

// Registration is a new user, and what the door knows of where it comes from.
type Registration struct {
	authclient.NewUser

	Repeat  *string // the password typed again, where a person typed it
	Address string  // network address, for the limits; it may have a port
	Key     string  // the same key and registration again give the same user; may be empty
}

// Register makes a user. Refusals, joined when there are several: ErrIdentifier,
// ErrTaken, ErrPassword, ErrName of authclient; ErrRepeat; ErrLimited, ErrBusy.
func (s *Service) Register(ctx context.Context, in Registration) (authclient.User, error) {
	who, err := parseIdentifier(in.Identifier, s.region)
	name, nameErr := cleanName(in.Name)
	if err := errors.Join(err, checkPassword(in.Password), checkRepeat(in), nameErr); err != nil {
		return authclient.User{}, err
	}
	leave, err := s.crowd.enter(in.Address)
	if err != nil {
		return authclient.User{}, err
	}
	defer leave()
	before, used, err := s.registered(ctx, in, who)
	if err != nil || used {
		return before, err
	}
	if err := s.spend(ctx, s.newUsers(in.Address)); err != nil {
		return authclient.User{}, err
	}
	phc, err := s.hasher.hash(ctx, in.Password)
	if err != nil {
		return authclient.User{}, err
	}
	u := userRow{ID: authclient.UserID(id.New("usr")), Identifier: who, Name: name, Password: phc, CreatedAt: database.At(s.now())}
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		if in.Key != "" {
			if err := database.Once(ctx, tx, registerScope, onceKey(in.Key, who), onceBody(in, who), string(u.ID)); err != nil {
				return err
			}
		}
		_, err := tx.NewInsert().Model(&u).Exec(ctx)
		return err
	})
	if database.Taken(err) {
		// Either by the same form a moment ago, or by somebody else.
		if before, used, err := s.registered(ctx, in, who); err != nil || used {
			return before, err
		}
		return authclient.User{}, authclient.ErrTaken
	}
	if err != nil {
		return authclient.User{}, fmt.Errorf("store a user: %w", err)
	}
	return u.document(), nil
}

func checkRepeat(in Registration) error {
	if in.Repeat != nil && *in.Repeat != in.Password {
		return ErrRepeat
	}
	return nil
}

const registerScope = "register"

// onceKey binds a key to who registers: two people's keys may be the same.
func onceKey(key string, who identifier) string {
	sum := sha256.Sum256([]byte(string(who) + "\x00" + key))
	return hex.EncodeToString(sum[:])
}

// onceBody leaves the password out: a fast hash of it must not lie about. It is
// compared with the slow one instead.
func onceBody(in Registration, who identifier) string {
	sum := sha256.Sum256([]byte(string(who) + "\x00" + in.Name))
	return hex.EncodeToString(sum[:])
}

// registered finds the user whom the same registration made before.
func (s *Service) registered(ctx context.Context, in Registration, who identifier) (authclient.User, bool, error) {
	if in.Key == "" {
		return authclient.User{}, false, nil
	}
	made, used, err := s.db.Used(ctx, registerScope, onceKey(in.Key, who), onceBody(in, who))
	if err != nil || !used {
		return authclient.User{}, false, err
	}
	u, err := s.user(ctx, authclient.UserID(made))
	if err != nil {
		return authclient.User{}, false, err
	}
	ok, _, err := s.hasher.verify(ctx, in.Password, u.Password)
	if err != nil {
		return authclient.User{}, false, err
	}
	if !ok {
		return authclient.User{}, false, authclient.ErrTaken
	}
	return u.document(), true, nil
}

// Credentials are what somebody logs in with, and what the door knows of where it comes from.
type Credentials struct {
	Identifier, Password string

	Address      string // network address, for the limits; it may have a port
	DeviceCookie string // of the browser, for the limits; may be empty
}

// Check tells whose identifier and password these are. An identifier that nobody has,
// or that can't be one, costs the same time and gets the same answer as a wrong
// password. Refusals: ErrLogin, authclient.ErrLimited, authclient.ErrBusy.
func (s *Service) Check(ctx context.Context, in Credentials) (authclient.User, error) {
	who, err := parseIdentifier(in.Identifier, s.region)
	if err != nil {
		who = identifier(in.Identifier) // nobody has it; the limits count it all the same
	}
	leave, err := s.crowd.enter(in.Address)
	if err != nil {
		return authclient.User{}, err
	}
	defer leave()
	failures := s.failures(who, in)
	if err := s.spend(ctx, failures...); err != nil {
		return authclient.User{}, err
	}
	u, ok, stale, err := s.match(ctx, who, in.Password)
	if err == nil && !ok {
		return authclient.User{}, ErrLogin
	}
	// Nothing was guessed, so nothing is counted.
	if err := errors.Join(err, s.giveBack(ctx, failures...)); err != nil {
		return authclient.User{}, err
	}
	if stale {
		if err := s.rehash(ctx, u, in.Password); err != nil {
			return authclient.User{}, err
		}
	}
	return u.document(), nil
}

// match compares a password with that of an identifier.
func (s *Service) match(ctx context.Context, who identifier, password string) (u userRow, ok, stale bool, err error) {
	err = s.db.NewSelect().Model(&u).Where("identifier = ?", who).Scan(ctx)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return u, false, false, fmt.Errorf("find a user: %w", err)
	}
	ok, stale, err = s.hasher.verify(ctx, password, u.Password)
	return u, ok, stale, err
}

// rehash stores a password at today's cost. When the gate is busy it is left for the
// next login.
func (s *Service) rehash(ctx context.Context, u userRow, password string) error {
	phc, err := s.hasher.hash(ctx, password)
	if errors.Is(err, authclient.ErrBusy) {
		return nil
	}
	if err != nil {
		return err
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewUpdate().Model((*userRow)(nil)).
			Set("password = ?", phc).
			Where("id = ?", u.ID).
			Where("password = ?", u.Password). // not when it was changed meanwhile
			Exec(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("store the new hash of %s: %w", u.ID, err)
	}
	return nil
}

// User is one's own account. Refusal: authclient.ErrNoUser.
func (s *Service) User(ctx context.Context, user authclient.UserID) (authclient.User, error) {
	u, err := s.user(ctx, user)
	if err != nil {
		return authclient.User{}, err
	}
	return u.document(), nil
}

// Empty tells whether nobody has registered yet.
func (s *Service) Empty(ctx context.Context) (bool, error) {
	some, err := s.db.NewSelect().Model((*userRow)(nil)).Exists(ctx)
	if err != nil {
		return false, fmt.Errorf("look for users: %w", err)
	}
	return !some, nil
}

func (s *Service) user(ctx context.Context, user authclient.UserID) (userRow, error) {
	var u userRow
	return u, s.found(s.db.NewSelect().Model(&u).Where("id = ?", user).Scan(ctx))
}

func (s *Service) userBy(ctx context.Context, typed string) (userRow, error) {
	var u userRow
	who, err := parseIdentifier(typed, s.region)
	if err != nil {
		return u, err
	}
	return u, s.found(s.db.NewSelect().Model(&u).Where("identifier = ?", who).Scan(ctx))
}

func (s *Service) found(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return authclient.ErrNoUser
	}
	if err != nil {
		return fmt.Errorf("find a user: %w", err)
	}
	return nil
}

// Rename changes what others call the user; "" goes back to the masked identifier.
// Tokens that are out keep the old name until they expire. Refusal: authclient.ErrName.
func (s *Service) Rename(ctx context.Context, user authclient.UserID, name string) error {
	name, err := cleanName(name)
	if err != nil {
		return err
	}
	err = s.db.InTx(ctx, func(ctx context.Context, tx bun.Tx) error {
		_, err := tx.NewUpdate().Model((*userRow)(nil)).Set("name = ?", name).Where("id = ?", user).Exec(ctx)
		return err
	})
	if err != nil {
		return fmt.Errorf("rename %s: %w", user, err)
	}
	return nil
}
