// Package fault is the refusals that users may see, and their way over HTTP.
//
// A refusal is a *[Error]: the rules say no, and the text is meant for the reader.
// Any other error is something that broke; [Of] hides it behind an internal
// refusal, so that its text reaches the log and nobody else. [Problem] and
// [Decode] are inverse: a refusal that crossed the network is the same refusal.
package fault

import (
	"errors"
	"maps"
)

// Kind says what the caller can do about a refusal.
type Kind uint8

// The kinds, and with them the only statuses that a refusal can have.
const (
	Internal        Kind = iota // our defect or outage; its text goes to the log only
	Invalid                     // the input breaks a rule; Field names it
	Malformed                   // the input can't be read at all
	Unauthenticated             // nobody is logged in
	Forbidden                   // somebody is, but may not
	NotFound                    // no such thing, or not yours to know of
	NotAllowed                  // the address knows other methods only
	Late                        // the input doesn't come to its end
	Unsupported                 // the input is in a form that is not read here
	Conflict                    // the present state forbids it
	Stale                       // it was changed since it was read
	TooLarge                    // the input is longer than what is read
	Limited                     // too many requests; try again later
	Unpaid                      // money is missing
	Busy                        // nothing happened; try again later
	Unknown                     // it may have happened; ask again with the same id
)

// Error is a refusal that users may see.
type Error struct {
	Kind   Kind
	Code   string         // stable and dotted, "pay.insufficient": problem type and locale key
	Detail string         // one English sentence
	Field  string         // the input at fault, if one is
	Extra  map[string]any // further members of the problem document, and data of its translation
	cause  error          // for the log
}

// Members of a refusal of the kind Limited that HTTP has headers for.
const (
	RetryAfter = "retry_after" // seconds until there may be one more, an int
	Limit      = "limit"       // how many are let through in a window, an int
)

// Refusals that every module has.
var (
	ErrUnauthenticated = New(Unauthenticated, "unauthenticated", "Please log in first.")
	ErrForbidden       = New(Forbidden, "forbidden", "You may not do this.")
	ErrNotFound        = New(NotFound, "not_found", "There is no such thing here.")

	errInternal = New(Internal, "internal", "Something went wrong on our side.")
)

// New declares a refusal. The code is stable: clients and translations rely on it.
func New(kind Kind, code, detail string) *Error {
	return &Error{Kind: kind, Code: code, Detail: detail}
}

// Error is for the log: it names the cause, which readers never see.
func (e *Error) Error() string {
	s := e.Code + ": " + e.Detail
	if e.Field != "" {
		s += " (" + e.Field + ")"
	}
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.cause }

// Is matches by code, so a refusal is recognised on the far side of the wire.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// On is the refusal with the name of the input at fault.
func (e *Error) On(field string) *Error {
	c := *e
	c.Field = field
	return &c
}

// With is the refusal with one more member in its problem document.
func (e *Error) With(key string, value any) *Error {
	c := *e
	c.Extra = maps.Clone(e.Extra)
	if c.Extra == nil {
		c.Extra = map[string]any{}
	}
	c.Extra[key] = value
	return &c
}

// Because is the refusal with what led to it, for the log.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// Of finds the refusal in err, or hides err behind an internal one. Of nil is nil.
func Of(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return errInternal.Because(err)
}

// All is every refusal in err: forms show what is wrong with each field at once.
// Errors that are no refusals are hidden as by [Of].
func All(err error) []*Error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*Error
		for _, e := range joined.Unwrap() {
			all = append(all, All(e)...)
		}
		return all
	}
	return []*Error{Of(err)}
}
