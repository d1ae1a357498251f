package guardrail

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/policy"
)

// test writes a trial that fails as a module of one Rego test, which passes once the policy keeps the invariant. Put into a file
// *_test.rego beside the policies it is run like any other.
func (l *lab) test(t trial, says string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "package guardrail_test\n\n# %s: %s\n#\n# %s.\ntest_%s if {\n", t.id, says, t.what, strings.ToLower(strings.ReplaceAll(t.id, "-", "_")))
	b.WriteString(l.decision("asked", t.point))
	if t.base.input != nil {
		b.WriteString(l.decision("compared", t.base))
	}
	switch t.want {
	case denies:
		b.WriteString("not asked.allow\n")
		if t.check != "" {
			fmt.Fprintf(&b, "%q in asked.unproven\n", t.check)
		}
	case allows:
		b.WriteString("asked.allow\n")
	case notMore:
		allowed := "asked.allow"
		if t.also != nil {
			b.WriteString(l.decision("copied", *t.also))
			allowed = "copied.allow, asked.allow"
		}
		all := strings.Count(allowed, ",") + 1
		fmt.Fprintf(&b, "[%s, compared.allow] != [%sfalse]\n", allowed, strings.Repeat("true, ", all))
	case same:
		b.WriteString("asked == compared\n")
	case seenSame:
		b.WriteString("{id | some id in asked.reasons; data.reasons[id].visible == \"always\"} == {id | some id in compared.reasons; data.reasons[id].visible == \"always\"}\n")
	case rooted:
		fmt.Fprintf(&b, "asked.reasons == {id | some id in %s}\n", text(l.roots(l.answer(t.point).Unproven)))
		b.WriteString("not \"system.policy_error\" in asked.unproven\n")
	}
	b.WriteString("}\n")
	formatted, err := policy.Format(b.String())
	if err != nil {
		panic(err) // every value is JSON, and the rest is above
	}
	return formatted
}

// decision asks for the decision on p under a name.
func (l *lab) decision(name string, p point) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s := data.compliance.decision with input as %s", name, spread(p.input))
	data := p.over(l.data)
	for _, path := range targets(data, p.facts) {
		value := get(data, path...)
		if value == nil && len(path) == 1 {
			value = map[string]any{} // a whole document that is not there
		}
		fmt.Fprintf(&b, "\nwith data%s as %s", reference(path), spread(value))
	}
	b.WriteString("\n")
	return b.String()
}

// targets are the paths that must be replaced for data to be what patches made of it: none within another, none into a list, and the
// parent of what is taken away.
func targets(data any, facts []patch) [][]string {
	var paths [][]string
	for _, f := range facts {
		path := f.path[1:]
		for i := range path {
			if _, inside := get(data, path[:i]...).([]any); inside {
				path = path[:i]
				break
			}
		}
		if f.value == (absent{}) && len(path) == len(f.path)-1 && len(path) > 1 {
			path = path[:len(path)-1]
		}
		paths = append(paths, path)
	}
	slices.SortFunc(paths, slices.Compare)
	var out [][]string
	for _, path := range paths { // what begins like another comes after it
		if n := len(out); n == 0 || len(path) < len(out[n-1]) || !slices.Equal(path[:len(out[n-1])], out[n-1]) {
			out = append(out, path)
		}
	}
	return out
}

var plainName = regexp.MustCompile(`^[a-z][a-z_]*$`)

func reference(path []string) string {
	var b strings.Builder
	for _, name := range path {
		if plainName.MatchString(name) {
			b.WriteString("." + name)
		} else {
			fmt.Fprintf(&b, "[%s]", text(name))
		}
	}
	return b.String()
}

// spread writes a value over several lines where it is long.
func spread(v any) string {
	if line := text(v); len(line) < 100 {
		return line
	}
	b, err := json.MarshalIndent(v, "", "\t")
	if err != nil {
		panic(err) // as in text
	}
	return string(b)
}

// roots are those of ids that no other of them stands before.
func (l *lab) roots(ids []authz.Reason) []authz.Reason {
	out := []authz.Reason{}
	for _, id := range ids {
		before := map[string]bool{}
		l.require(string(id), before)
		delete(before, string(id))
		if !slices.ContainsFunc(ids, func(other authz.Reason) bool { return before[string(other)] }) {
			out = append(out, id)
		}
	}
	return out
}

// require adds to before what stands before a check, itself included.
func (l *lab) require(id string, before map[string]bool) {
	if before[id] {
		return
	}
	before[id] = true
	for _, required := range list(get(l.data, "reasons", id, "requires")) {
		l.require(required, before)
	}
}
