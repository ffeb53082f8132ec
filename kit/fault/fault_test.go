package fault

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var errSold = New(Conflict, "shop.sold_out", "It is sold out.")

// Each kind has a status of its own, so that the kind survives the wire.
func TestStatusesAreABijection(t *testing.T) {
	seen := map[int]Kind{}
	for k := Internal; k <= Unknown; k++ {
		s := k.Status()
		if s == 0 {
			t.Errorf("kind %d has no status", k)
		}
		if other, taken := seen[s]; taken {
			t.Errorf("kinds %d and %d share status %d", k, other, s)
		}
		seen[s] = k
		if got := KindOf(s); got != k {
			t.Errorf("KindOf(%d) = %d, want %d", s, got, k)
		}
	}
	if len(seen) != len(statuses) {
		t.Errorf("%d statuses, want %d", len(statuses), len(seen))
	}
}

func TestARefusalSurvivesTheWire(t *testing.T) {
	sent := errSold.On("quantity").With("available", "3").Because(errors.New("row 7"))
	body, err := json.Marshal(Problem(fmt.Errorf("buy: %w", sent)))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(body), "row 7") {
		t.Errorf("the document shows the cause: %s", body)
	}
	got := Decode(sent.Kind.Status(), body)
	if diff := cmp.Diff(sent, got, cmpopts.IgnoreUnexported(Error{})); diff != "" {
		t.Error(diff)
	}
	if !errors.Is(got, errSold) {
		t.Error("the far side doesn't recognise it")
	}
}

func TestAnythingElseIsHidden(t *testing.T) {
	doc := Problem(errors.New("dial tcp 10.0.0.7: password=hunter2"))
	if doc["status"] != 500 || doc["code"] != "internal" || strings.Contains(fmt.Sprint(doc), "hunter2") {
		t.Errorf("got %v", doc)
	}
}

// What a proxy says of a server that is away says nothing of what was done.
func TestAnAnswerOfSomebodyElse(t *testing.T) {
	for status, want := range map[int]Kind{500: Internal, 502: Unknown, 503: Unknown, 504: Unknown, 404: NotFound} {
		got := Decode(status, []byte("<html>Bad Gateway</html>"))
		if got.Kind != want || !strings.HasPrefix(got.Code, "http.") || !strings.Contains(got.Error(), "<html>") {
			t.Errorf("%d: got kind %d, %v; want %d", status, got.Kind, got, want)
		}
	}
	ours, err := json.Marshal(Problem(New(Busy, "database.busy", "x")))
	if err != nil {
		t.Fatal(err)
	}
	if got := Decode(503, ours); got.Kind != Busy {
		t.Errorf("our own 503 is of kind %d, want %d", got.Kind, Busy)
	}
}

func TestJoinedRefusalsAreListed(t *testing.T) {
	a, b := errSold.On("a"), errSold.On("b")
	doc := Problem(errors.Join(a, b))
	if doc["field"] != "a" || len(doc["errors"].([]map[string]any)) != 2 {
		t.Errorf("got %v", doc)
	}
}

func TestCopiesLeaveTheDeclaredOneAlone(t *testing.T) {
	_ = errSold.With("x", 1).With("y", 2).On("z")
	if errSold.Extra != nil || errSold.Field != "" {
		t.Errorf("declared refusal was changed: %v", errSold)
	}
}
