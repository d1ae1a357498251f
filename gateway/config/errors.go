package config

import (
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	Place string // FILE:LINE, the name of a variable, or "command line"; "" of a Config that was not loaded
	Key   string // dotted, such as listen.http; "" where the file as a whole is meant
	What  string // what is wrong, with the value
	Do    string // what to do about it
}

// Error returns the problem as one line.
func (p Problem) Error() string {
	parts := slices.DeleteFunc([]string{p.Place, p.Key, p.What}, func(s string) bool { return s == "" })
	return strings.Join(parts, ": ") + "; " + p.Do
}

// Errors is every problem of a configuration, at least one. It is a matter of usage or environment: exit code 2.
type Errors struct {
	Problems []Problem
}

// Error returns one line a problem.
func (e *Errors) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// problems collects what is wrong.
type problems []Problem

func (p *problems) add(place, key, what, do string) {
	*p = append(*p, Problem{Place: place, Key: key, What: what, Do: do})
}

// err returns nil, not a nil *Errors, if there is no problem.
func (p problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return &Errors{Problems: p}
}

// quote shows a value on one line, and a long one only in part.
func quote(s string) string {
	if len(s) > 120 {
		return fmt.Sprintf("%q (%d bytes)", s[:120]+"…", len(s))
	}
	return fmt.Sprintf("%q", s)
}
