package pay

import "testing"

func TestLuhn(t *testing.T) {
	for number, check := range map[string]byte{"7992739871": '3', "37828224631000": '5', "0": '0', "1": '8'} {
		if got := luhn(number); got != check {
			t.Errorf("luhn(%s) = %c, want %c", number, got, check)
		}
	}
}

// A digit that is mistyped never gives another valid number.
func TestNumbersAreChecked(t *testing.T) {
	n := newNumber()
	if len(n) != numberLength || readable(n) != n[:4]+" "+n[4:8]+" "+n[8:12]+" "+n[12:] {
		t.Fatalf("%q, %q", n, readable(n))
	}
	for i := range n {
		for d := byte('0'); d <= '9'; d++ {
			typed := []byte(n)
			typed[i] = d
			if valid := luhn(string(typed[:numberLength-1])) == typed[numberLength-1]; valid != (d == n[i]) {
				t.Errorf("%s: valid %t", typed, valid)
			}
		}
	}
}
