package pay

import (
	"crypto/rand"
	"math/big"
	"strings"
)

// numberLength counts the check digit. A number begins with 95: a leading 9 is given to
// no issuer of payment cards (ISO/IEC 7812), so that none is mistaken for one.
const (
	numberLength = 16
	numberPrefix = "95"
)

// newNumber is a random wallet number. That it is free is for the unique key to say.
func newNumber() string {
	n := numberPrefix
	for len(n) < numberLength-1 {
		d, err := rand.Int(rand.Reader, big.NewInt(10))
		if err != nil {
			panic(err) // never: crypto/rand ends the program instead
		}
		n += d.String()
	}
	return n + string(luhn(n))
}

// luhn is the check digit of Luhn's algorithm (ISO/IEC 7812-1, annex B): it finds
// every wrong digit and nearly every pair that was swapped.
func luhn(digits string) byte {
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 0 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return byte('0' + (10-sum%10)%10)
}

// readable groups a number by four.
func readable(number string) string {
	var groups []string
	for i := 0; i < len(number); i += 4 {
		groups = append(groups, number[i:min(i+4, len(number))])
	}
	return strings.Join(groups, " ")
}
