package policy

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// ErrEnvironment says that the folder could not be read at all.
var ErrEnvironment = errors.New("policy: can't be read")

// ErrTests says that Rego tests failed, or that there are none.
var ErrTests = errors.New("policy: tests failed")

// ExitCode returns the exit code that a command gives for an error of this package: 0 ok, 2 the folder or the input of Eval, 3 does
// not load, compile or lint, 4 tests failed, 1 anything else.
func ExitCode(err error) int {
	var problems *Errors
	switch {
	case err == nil:
		return 0
	case errors.Is(err, ErrEnvironment):
		return 2
	case errors.As(err, &problems):
		if problems.input {
			return 2
		}
		return 3
	case errors.Is(err, ErrTests):
		return 4
	}
	return 1
}

// Problem is one thing that is wrong with a bundle: where it is, what it is, and what to do.
type Problem struct {
	File string `json:"file"`           // slash-separated, relative to the folder
	Line int    `json:"line,omitempty"` // 0 where it is about the whole file
	What string `json:"what"`
}

// Errors is everything that is wrong with a bundle, or with the input of Eval, in order of file and line.
type Errors struct {
	Dir      string    `json:"dir"`
	Problems []Problem `json:"problems"`
	input    bool      // about the input, not the bundle
}

// Error returns one line a problem: "file:line: what; what to do".
func (e *Errors) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		name := filepath.Join(e.Dir, filepath.FromSlash(p.File))
		if p.Line > 0 {
			name = fmt.Sprintf("%s:%d", name, p.Line)
		}
		lines[i] = name + ": " + p.What
	}
	return strings.Join(lines, "\n")
}

// report collects problems, so that one run names all of them.
type report struct{ problems []Problem }

func (r *report) add(file string, line int, format string, args ...any) {
	r.problems = append(r.problems, Problem{File: file, Line: line, What: fmt.Sprintf(format, args...)})
}

// err returns the problems in order, or nil if there are none.
func (r *report) err(dir string) error {
	if len(r.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(r.problems, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), strings.Compare(a.What, b.What))
	})
	return &Errors{Dir: dir, Problems: slices.Compact(r.problems)}
}

// nearest returns the word of known that is most like word, "" if none is like it.
func nearest(word string, known []string) string {
	best, at := "", max(2, len(word)/3)+1
	for _, k := range known {
		if d := distance(word, k); d < at {
			best, at = k, d
		}
	}
	return best
}

// oneOf returns what word may have meant, or the known words where none is near.
func oneOf(word string, known []string) string {
	slices.Sort(known)
	if k := nearest(word, known); k != "" {
		return fmt.Sprintf("; did you mean %q?", k)
	}
	if len(known) == 0 {
		return "; there are none"
	}
	if n := len(known) - 12; n > 0 {
		return fmt.Sprintf("; known are %s and %d more", strings.Join(known[:12], ", "), n)
	}
	return "; known are " + strings.Join(known, ", ")
}

// distance is Levenshtein's: the fewest insertions, deletions and replacements of a byte that make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
