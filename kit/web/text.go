package web

import (
	"encoding/json"
	"errors"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"jishi/kit/fault"
)

// errText names a field whose text has a NUL or isn't UTF-8: databases cut such text,
// change it or refuse it, each in its own way.
var errText = fault.New(fault.Invalid, "request.text", "This has characters that no text has. Please write it again.")

// isText tells whether s can be kept and shown as it is.
func isText(s string) bool { return utf8.ValidString(s) && !strings.Contains(s, "\x00") }

// readable refuses an address whose path or query is no text.
func readable(u *url.URL) error {
	if !isText(u.Path) {
		return errMalformed
	}
	if u.RawQuery == "" {
		return nil
	}
	return checkFields(u.Query())
}

// checkFields refuses fields that are no text, by name.
func checkFields(fields url.Values) error {
	var wrong []string
	for name, values := range fields {
		if !isText(name) {
			return errMalformed
		}
		if slices.ContainsFunc(values, func(s string) bool { return !isText(s) }) {
			wrong = append(wrong, name)
		}
	}
	slices.Sort(wrong)
	var errs []error
	for _, name := range wrong[:min(len(wrong), maxFaults)] {
		errs = append(errs, errText.On(brief(name)))
	}
	return errors.Join(errs...)
}

var errEncoding = errors.New("the body is not UTF-8")

// readJSON is how bodies are read. Go's decoder would put a replacement character in
// place of what is no UTF-8, and store what nobody wrote.
func readJSON(b []byte, v any) error {
	if !utf8.Valid(b) {
		return errEncoding
	}
	return json.Unmarshal(b, v)
}

// checkInput refuses the input of a call in which a string has a NUL, by its name.
func checkInput(in any) error {
	if name, found := findNUL(reflect.ValueOf(in), ""); found {
		return errText.On(name)
	}
	return nil
}

// findNUL looks for a string with a NUL in v, and gives the path to it in the names of
// the wire.
func findNUL(v reflect.Value, name string) (string, bool) {
	switch v.Kind() {
	case reflect.String:
		return name, strings.Contains(v.String(), "\x00")
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			return findNUL(v.Elem(), name)
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return "", false // bytes are no text
		}
		for i := range v.Len() {
			if at, found := findNUL(v.Index(i), name); found {
				return at, true
			}
		}
	case reflect.Map:
		for _, key := range v.MapKeys() {
			if at, found := findNUL(v.MapIndex(key), joined(name, key.String())); found {
				return at, true
			}
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return "", false
		}
		for i := range v.NumField() {
			if at, found := findNUL(v.Field(i), joined(name, wireName(v.Type().Field(i)))); found {
				return at, true
			}
		}
	}
	return "", false
}

// wireName is what a field is called on the wire; "" for a body and what is embedded.
func wireName(f reflect.StructField) string {
	for _, tag := range []string{"json", "path", "query", "header"} {
		if name, _, _ := strings.Cut(f.Tag.Get(tag), ","); name != "" {
			return name
		}
	}
	return ""
}

func joined(path, name string) string {
	if path == "" || name == "" {
		return path + name
	}
	return path + "." + name
}
