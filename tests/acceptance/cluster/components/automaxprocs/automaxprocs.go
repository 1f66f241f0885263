// Package automaxprocs takes the place of the library of this name that Kamaji
// imports: Go itself looks at CPU quotas by now, and the library prints a line
// at every start of every program of this binary.
package automaxprocs
