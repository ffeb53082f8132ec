package auth

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"jishi/auth/authclient"
)

// identifier is what a user logs in with, in the one form that is stored and compared:
// a phone number in E.164 or an e-mail address with a lower-case ASCII domain.
// Databases disagree on when two texts are equal, so it is normalised here only and
// kept in a binary column.
type identifier string

// maxEmail is the longest address that mail can be sent to (RFC 5321, 4.5.3.1.3), in
// bytes. maxTyped is how many bytes of what somebody types are looked at: more than any
// identifier has in any spelling.
const (
	maxEmail = 254
	maxTyped = 1024
)

// parseIdentifier reads what people type. A phone number without a country code is
// one of region. Refusal: authclient.ErrIdentifier.
func parseIdentifier(typed, region string) (identifier, error) {
	if len(typed) > maxTyped || !utf8.ValidString(typed) {
		return "", authclient.ErrIdentifier
	}
	// Full-width digits and signs come from Chinese keyboards.
	s := strings.TrimSpace(norm.NFKC.String(typed))
	if strings.Contains(s, "@") {
		return parseEmail(s)
	}
	return parsePhone(s, region)
}

func parsePhone(s, region string) (identifier, error) {
	// The library reads letters as the keys of a telephone; nobody means that here.
	if strings.ContainsFunc(s, unicode.IsLetter) {
		return "", authclient.ErrIdentifier
	}
	n, err := phonenumbers.Parse(s, region)
	if err != nil {
		return "", authclient.ErrIdentifier.Because(err)
	}
	switch phonenumbers.GetNumberType(n) {
	case phonenumbers.MOBILE, phonenumbers.FIXED_LINE_OR_MOBILE:
	default:
		return "", authclient.ErrIdentifier
	}
	if !phonenumbers.IsValidNumber(n) {
		return "", authclient.ErrIdentifier
	}
	return identifier(phonenumbers.Format(n, phonenumbers.E164)), nil
}

func parseEmail(s string) (identifier, error) {
	at := strings.LastIndexByte(s, '@')
	local, domain := strings.ToLower(s[:at]), s[at+1:]
	// The time of Punycode grows with the square of its length, and one character of those
	// that were typed may have become eighteen.
	if utf8.RuneCountInString(domain) > maxEmail {
		return "", authclient.ErrIdentifier
	}
	domain, err := idna.Lookup.ToASCII(domain)
	if err != nil {
		return "", authclient.ErrIdentifier.Because(err)
	}
	whole := local + "@" + domain
	if local == "" || len(local) > 64 || len(whole) > maxEmail || !strings.Contains(domain, ".") || strings.Contains("."+domain+".", "..") {
		return "", authclient.ErrIdentifier
	}
	// Quoted local parts are allowed by RFC 5322 and used by nobody but attackers.
	if strings.ContainsFunc(local, func(r rune) bool {
		return !unicode.IsGraphic(r) || unicode.IsSpace(r) || strings.ContainsRune(`"(),:;<>@[\]`, r)
	}) {
		return "", authclient.ErrIdentifier
	}
	return identifier(whole), nil
}

// masked is an identifier as others may see it: 138****8000, a***@example.com.
func (i identifier) masked() string {
	if local, domain, ok := strings.Cut(string(i), "@"); ok {
		_, size := utf8.DecodeRuneInString(local)
		return local[:size] + "***@" + domain
	}
	national := string(i)
	if n, err := phonenumbers.Parse(string(i), ""); err == nil {
		national = phonenumbers.GetNationalSignificantNumber(n)
	}
	if len(national) < 8 { // no real mobile number; show an end of it only
		return "****" + national[len(national)/2:]
	}
	return national[:3] + "****" + national[len(national)-4:]
}

// maxName bounds a display name, in characters.
const maxName = 64

// cleanName trims a display name. Empty is allowed. Refusal: authclient.ErrName.
func cleanName(name string) (string, error) {
	name = strings.TrimSpace(norm.NFC.String(name))
	const joiner = '\u200d' // part of many emoji
	invisible := func(r rune) bool { return !unicode.IsPrint(r) && r != joiner }
	if !utf8.ValidString(name) || utf8.RuneCountInString(name) > maxName || strings.ContainsFunc(name, invisible) {
		return "", authclient.ErrName
	}
	return name, nil
}
