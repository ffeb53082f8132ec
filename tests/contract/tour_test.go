package contract_test

import (
	"os/exec"
	"strings"
	"testing"

	"jishi/tests/harness"
)

const tour = "../tour.sh"

// The tour finds everything as it should be, on a market that somebody has toured before as
// well.
func TestTour(t *testing.T) {
	needTour(t)
	each(t, func(t *testing.T, m *harness.Market) {
		for range 2 {
			out, err := takeTour(m, m.Shop, m.Auth, m.Pay)
			if err != nil || !strings.Contains(lastLine(out), "went as it should") {
				t.Fatalf("%v\n%s", err, out)
			}
		}
	})
}

// What isn't as it should be ends the tour with a failure that names it.
func TestTourMeetsSurprises(t *testing.T) {
	needTour(t)
	m := harness.Start(t, harness.Config{})
	for what, c := range map[string]struct {
		urls []string
		want string
	}{
		"nobody listens":        {[]string{"http://localhost:1"}, "after 0 steps: no answer to POST http://localhost:1/auth"},
		"pay is somewhere else": {[]string{m.Shop, m.Auth, "http://localhost:1"}, "no answer to GET http://localhost:1/pay"},
		"not the API":           {[]string{m.Shop + "/nowhere"}, "answers 404, want 201"},
	} {
		out, err := takeTour(m, c.urls...)
		if err == nil || !strings.Contains(lastLine(out), c.want) {
			t.Errorf("%s: %v\n%s", what, err, out)
		}
	}
}

func needTour(t *testing.T) {
	t.Helper()
	for _, program := range []string{"sh", "curl", "jq"} {
		harness.Needs(t, program)
	}
}

func takeTour(m *harness.Market, urls ...string) (string, error) {
	token := m.Command("token", "--user")
	cmd := exec.Command(tour, urls...) // #nosec G204 -- the tests' own
	cmd.Env = append(token.Env, "TOKEN_COMMAND="+strings.Join(token.Args, " "))
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func lastLine(out string) string {
	lines := strings.Split(strings.TrimSpace(out), "\n")
	return lines[len(lines)-1]
}
