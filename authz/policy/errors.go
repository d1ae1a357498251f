package policy

import (
	"fmt"
	"strings"
)

// Problem is one thing that is wrong with a bundle: where, what, and what to do.
type Problem struct {
	File string
	Line int
	What string
}

// Errors is everything that is wrong with a bundle.
type Errors struct{ Problems []Problem }

// Error returns one line a problem.
func (e *Errors) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s:%d: %s", p.File, p.Line, p.What)
	}
	return b.String()
}

// ExitCode returns the exit code that a command gives for err (DESIGN §3.1).
func ExitCode(err error) int {
	if err == nil {
		return 0
	}
	return 1
}
