package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
)

// Text is the explanation for people: the outcome, what follows from what, and the tree of checks. What was read is told only where the
// bundle has no facts on a check, and where it is missing.
func (x Explanation) Text() string {
	var b strings.Builder
	outcome := "deny"
	if x.Allow {
		outcome = "allow: each check is proven"
	}
	fmt.Fprintf(&b, "decision  %s\n", outcome)
	for _, r := range x.Reasons {
		fmt.Fprintf(&b, "reason    %s: not proven, and everything that it requires is\n", r)
	}
	for _, c := range x.Checks {
		if c.State == Waiting {
			roots := slices.DeleteFunc(slices.Clone(c.WaitsFor), func(id string) bool { return !slices.Contains(x.Reasons, authz.Reason(id)) })
			fmt.Fprintf(&b, "behind    %s: not proven either, and waits for %s\n", c.ID, strings.Join(roots, ", "))
		}
	}
	for _, c := range x.Checks {
		b.WriteByte('\n')
		c.text(&b)
	}
	return b.String()
}

func (c Finding) text(b *strings.Builder) {
	margin := strings.Repeat("  ", c.Depth)
	line := func(format string, args ...any) {
		fmt.Fprintf(b, "%s    %s\n", margin, fmt.Sprintf(format, args...))
	}
	held := slices.IndexFunc(c.Proofs, func(p Proof) bool { return p.Holds })
	switch {
	case c.State != Proven:
		fmt.Fprintf(b, "%sNOT PROVEN %s: %s\n", margin, c.ID, c.Title)
	case held >= 0:
		fmt.Fprintf(b, "%sproven %s: %s\n", margin, c.ID, c.Proofs[held].Title)
	default:
		fmt.Fprintf(b, "%sproven %s\n", margin, c.ID)
	}
	for _, f := range c.Facts {
		value := "none"
		if len(f.Values) > 0 {
			value = strings.Join(f.Values, "; ")
		}
		line("%s: %s", f.Name, value)
	}
	for i, p := range c.Proofs {
		if c.State == Proven && i != held {
			continue
		}
		for _, r := range p.Read {
			switch {
			case r.Value == "" && !p.Holds:
				line("%s is missing", r.Path)
			case r.Value == "null" && !p.Holds:
				line("%s is unknown", r.Path)
			case r.Value != "" && len(c.Facts) == 0:
				line("%s: %s", r.Path, r.Value)
			}
		}
		if !p.Holds {
			line("would prove it: %s (%s)", p.Title, p.Location)
			for j, s := range p.Stopped {
				if j == 0 || j == len(p.Stopped)-1 {
					line("  %s: %s (%s)", [...]string{"stopped at", "within that"}[min(j, 1)], s.Condition, s.Location)
				}
			}
		}
	}
	switch {
	case c.State == Proven && held >= 0:
		line("proven by %s", c.Proofs[held].Location)
	case held >= 0:
		line("but %s proves it; is its package missing in data.compliance.satisfied?", c.Proofs[held].Location)
	case c.State == Waiting:
		line("waits for: %s", strings.Join(c.WaitsFor, ", "))
	case c.State == Unproven && c.Remedy != "":
		line("remedy: %s", c.Remedy)
	}
}
