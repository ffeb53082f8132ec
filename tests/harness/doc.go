// Package harness runs whole markets for the tests: it builds the program, starts it as
// one process or as one per module, talks to it as a person or a program would, and ends
// it. It knows addresses, flags, pages and the modules' clients; never a module's inside, but
// for how the shop's client secret comes of the market's ([Market.Merchant]).
//
// A market that a test has started is stopped when the test is over, and then
// `jishi verify --chain` must find that money, stock and orders add up, whatever the test was
// about. Its log lines are printed when the test has failed.
package harness
