// Package racetest lets things happen at the same moment.
package racetest

import "sync"

// Together calls f with 0 to n-1, each in a goroutine of its own. All of them are ready before
// any begins, and it returns when all have returned.
func Together(n int, f func(i int)) {
	var ready, done sync.WaitGroup
	ready.Add(n)
	gate := make(chan struct{})
	for i := range n {
		done.Go(func() {
			ready.Done()
			<-gate
			f(i)
		})
	}
	ready.Wait()
	close(gate)
	done.Wait()
}
