package app

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
)

// Each order is placed and paid by a transaction of the shop and charged by one of pay; the
// metrics of group commit count each request, and each transaction, once.
func TestCommitsAreCounted(t *testing.T) {
	m := openForOne(t)
	for range 3 {
		m.must(t, "/api/v1/orders", `{"items":[{"product":"`+m.product+`","quantity":1}]}`)
	}
	rec := httptest.NewRecorder()
	m.metrics.Private(nil).ServeHTTP(rec, httptest.NewRequest("GET", "/metrics", nil))
	for module, n := range map[string]int{"shop": 6, "pay": 3} {
		for _, metric := range []string{"batch_size_sum", "batch_size_count", "wait_seconds_count", "seconds_count"} {
			if want := fmt.Sprintf("jishi_commit_%s{module=%q} %d\n", metric, module, n); !strings.Contains(rec.Body.String(), want) {
				t.Errorf("the metrics lack %s", want)
			}
		}
	}
}
