// Package crash names the places at which a process may die, so that a test can have it
// die there. In the program that people run [Point] is an empty function, which the
// compiler leaves out; built with the tag crash it kills the process as a power failure
// would where the environment says so.
package crash

// Variable names the point at which a program with the tag crash dies, and after how many
// passings: "shop.placed 3" dies when that point is passed for the third time.
const Variable = "CRASH_AT"
