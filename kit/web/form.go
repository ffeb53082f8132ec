package web

import (
	"crypto/rand"
	"errors"
	"mime"
	"net/http"
	"net/url"

	"jishi/kit/database"
	"jishi/kit/fault"
)

// TokenField is the name of a form's one-time token.
const TokenField = "token"

// ErrToken refuses a form without a token of ours.
var ErrToken = fault.New(fault.Malformed, "form.token", "This form is incomplete. Please load the page again and repeat what you did.")

// tokenLength is that of rand.Text: 128 bits in base32.
const tokenLength = 26

// multipartMemory is what a form with files may hold in memory, in bytes; the rest of
// it lies in temporary files.
const multipartMemory = 1 << 20

// FormToken gives the one-time token of a form that is shown now. It is spent by
// database.Once in the transaction that does what the form asks for, so that a double
// click, a back button or a proxy's retry does it once.
func FormToken() string { return rand.Text() }

// Form reads the fields of a POST; those of the query are not among them. A form with
// files is refused unread: only the pages that want a file, from people who have logged
// in, shall have to keep one.
func Form(r *http.Request) (url.Values, error) {
	if withFiles(r) {
		return nil, errMalformed
	}
	return fields(r, r.ParseForm())
}

// FileForm is Form for pages that take a file too; the files are in r.MultipartForm.
func FileForm(r *http.Request) (url.Values, error) {
	if !withFiles(r) {
		return Form(r)
	}
	return fields(r, r.ParseMultipartForm(multipartMemory))
}

func withFiles(r *http.Request) bool {
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return media == "multipart/form-data"
}

func fields(r *http.Request, err error) (url.Values, error) {
	if err != nil {
		return nil, unreadable(err)
	}
	return r.PostForm, checkFields(r.PostForm)
}

// unreadable is the refusal of a body that couldn't be read: it is too long, or the sender
// left.
func unreadable(err error) error {
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return errTooLarge.Because(err)
	}
	return errMalformed.Because(err)
}

// TokenOf is the one-time token of a form that came back, or ErrToken.
func TokenOf(form url.Values) (string, error) {
	token := form.Get(TokenField)
	if len(token) != tokenLength {
		return "", ErrToken
	}
	return token, nil
}

// WithToken is what Form or FileForm gave, with its one-time token.
func WithToken(form url.Values, err error) (url.Values, string, error) {
	if err != nil {
		return nil, "", err
	}
	token, err := TokenOf(form)
	return form, token, err
}

// TokenAgain is the token of a form that is shown again since err refused it: the same, as
// what was asked for may have been done all the same. Where it stands for something else
// already, the form gets a new one.
func TokenAgain(token string, err error) string {
	if errors.Is(err, database.ErrMismatch) {
		return FormToken()
	}
	return token
}

// Again is the end of a page that showed a form again after err. Where it couldn't be shown,
// err is told: it says what became of the form.
func Again(err, shown error) error {
	if shown != nil {
		return err
	}
	return nil
}
