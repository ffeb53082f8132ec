//go:build !crash

package crash

// Point is nothing.
func Point(string) {}
