// Package attacks is a suite of requests that must get nowhere, or just where an honest reading of them leads: each is sent through a
// real Envoy to whatever answers its ext_authz checks, and its answer, its records and what reached the upstream are held against
// what the case says. The gateway under test must serve the demo world (DESIGN §3.9), whose tokens, logs and files the suite uses.
//
// A case is a file of vectors/, named by what it does: a header of "name: value" lines (see Case), an empty line, and the request as
// it goes over the wire, as a text/template (see scene). After each case what holds of every request is checked too:
//
//	I1  nothing reached the upstream without a durable allow of the same decision before it, nor more often than that is good for
//	I2  Envoy skipped no check, and let nothing pass because a check had failed
//	I3  what reached the upstream, operation and path, is what was judged
//	I4  nothing of the client's identity reached the upstream's log or the decision log: no token and no signature
//	I5  each policy input in a record, evaluated again, gives the decision in the record
//
// Non-goals: it knows nothing of how the gateway is made, and reads the decision log as FORMAT.md describes it.
package attacks

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

//go:embed vectors
var vectors embed.FS

// Case is one attack, or the honest request beside one.
type Case struct {
	Name     string   // feature/what, as its file is called
	Why      string   // what goes wrong if it passes
	Flags    []string // the attacks that it is one of, see flags
	As       string   // whose token it carries, "" if the request has its own
	Protocol string   // http1 (default) or h2
	Expect   Expectation
	request  string // template
}

// Expectation is what must come of a case.
type Expectation struct {
	Outcome string   // deny, allow, or envoy: refused by Envoy itself, so that nobody is asked
	Status  int      // that the caller sees; 0 if the connection ends without an answer
	Reasons []string // of the record, sorted
	Log     string   // that keeps the record
}

// flags are what a case may be one of.
var flags = []string{
	"AUTH_BYPASS", "BODY_CONFUSION", "FAIL_OPEN", "HEADER_CONFUSION", "HOST_CONFUSION", "INJECTION", "LABEL_DOWNGRADE", "LEAK",
	"METHOD_CONFUSION", "OVERCLAIM", "PATH_CONFUSION", "QUERY_CONFUSION", "SMUGGLING", "TOKEN_CONFUSION", "TRUST_CHANGE", "HONEST",
}

// Feature is the group that a case belongs to.
func (c Case) Feature() string { return path.Dir(c.Name) }

// Cases returns the suite in order of names.
func Cases() ([]Case, error) {
	var cases []Case
	err := fs.WalkDir(vectors, "vectors", func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := vectors.ReadFile(file)
		if err != nil {
			return err
		}
		c, err := parse(strings.TrimSuffix(strings.TrimPrefix(file, "vectors/"), ".txt"), string(text))
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		cases = append(cases, c)
		return nil
	})
	return cases, err
}

// parse reads a case.
func parse(name, text string) (Case, error) {
	header, request, ok := strings.Cut(text, "\n\n")
	if !ok {
		return Case{}, fmt.Errorf("no empty line between header and request")
	}
	c := Case{Name: name, Protocol: "http1", request: strings.TrimSuffix(request, "\n")} // of the file, not of the request
	seen := map[string]bool{}
	for i, line := range strings.Split(header, "\n") {
		name, value, ok := strings.Cut(line, ": ")
		if !ok || seen[name] {
			return Case{}, fmt.Errorf("line %d: want a name, a colon and a value, each name once: %q", i+1, line)
		}
		seen[name] = true
		var err error
		switch name {
		case "why":
			c.Why = value
		case "flags":
			c.Flags = strings.Fields(value)
			for _, f := range c.Flags {
				if !slices.Contains(flags, f) {
					err = fmt.Errorf("unknown flag %s", f)
				}
			}
		case "as":
			c.As = value
		case "protocol":
			c.Protocol = value
			if value != "http1" && value != "h2" {
				err = fmt.Errorf("unknown protocol %q", value)
			}
		case "expect":
			c.Expect.Outcome = value
			if !slices.Contains([]string{"deny", "allow", "envoy"}, value) {
				err = fmt.Errorf("unknown outcome %q", value)
			}
		case "status":
			c.Expect.Status, err = strconv.Atoi(value)
		case "reasons":
			c.Expect.Reasons = strings.Fields(value)
		case "log":
			c.Expect.Log = value
		default:
			err = fmt.Errorf("unknown name %q", name)
		}
		if err != nil {
			return Case{}, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	e := c.Expect
	switch {
	case c.Why == "" || len(c.Flags) == 0 || e.Outcome == "" || !seen["status"]:
		return Case{}, fmt.Errorf("why, flags, expect and status must be there")
	case e.Outcome == "envoy" && (e.Log != "" || e.Reasons != nil), e.Outcome != "envoy" && e.Log == "",
		e.Outcome == "deny" && len(e.Reasons) == 0, e.Outcome == "allow" && e.Reasons != nil:
		return Case{}, fmt.Errorf("expect %s does not go with reasons %v and log %q", e.Outcome, e.Reasons, e.Log)
	case !slices.IsSorted(e.Reasons):
		return Case{}, fmt.Errorf("the reasons are not sorted")
	}
	return c, nil
}
