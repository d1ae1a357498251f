package policy_test

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz/policy"
)

// awkward are rules in which two engines could differ. Each reads input.a, .b, .xs, .ys and .o, which may be anything.
var awkward = []string{
	// undefined and null
	`decision := input.a`,
	`decision := input.a.b`,
	`decision := "present" if input.a`,
	`decision := "absent" if not input.a`,
	"default decision := \"none\"\n\ndecision := input.a if input.b",
	`decision := input.a == null`,
	`decision := {"a": object.get(input, "a", "gone"), "b": object.get(input, ["o", "k"], null)}`,
	`decision := data.nowhere.at.all`,
	"decision := 1 if not data.facts[input.a]",
	`decision := data.facts[input.a]`,
	// numbers
	`decision := input.a + input.b`,
	`decision := input.a - input.b`,
	`decision := input.a * input.b`,
	`decision := input.a / input.b`,
	`decision := input.a % input.b`,
	`decision := [round(input.a), ceil(input.a), floor(input.a), abs(input.a)]`,
	`decision := [input.a < input.b, input.a <= input.b, input.a == input.b, input.a != input.b]`,
	`decision := [1e3 == 1000, 0.1 + 0.2, 12345678901234567890 + 1, input.a]`,
	`decision := bits.and(input.a, input.b)`,
	`decision := [sum(input.xs), product(input.xs), max(input.xs), min(input.xs)]`,
	`decision := to_number(input.a)`,
	`decision := format_int(input.a, 16)`,
	`decision := {x | some x in input.xs; x > 1}`,
	// text
	`decision := [lower(input.a), upper(input.a)]`,
	`decision := [startswith(input.a, input.b), endswith(input.a, input.b), contains(input.a, input.b)]`,
	`decision := split(input.a, input.b)`,
	`decision := concat(",", input.xs)`,
	`decision := sprintf("%v %s %d", [input.a, input.b, 3])`,
	`decision := [trim_space(input.a), trim(input.a, " é"), substring(input.a, 1, 2), indexof(input.a, input.b)]`,
	`decision := replace(input.a, "a", input.b)`,
	`decision := regex.match("^[a-zé]+$", input.a)`,
	`decision := glob.match("a*", [], input.a)`,
	"decision := \"é\u2028\\u0000<\" if input.a",
	`decision := input.a < "m"`,
	`decision := json.marshal(input.o)`,
	`decision := json.unmarshal(input.a)`,
	`decision := [base64.encode(input.a), hex.encode(input.a), urlquery.encode(input.a)]`,
	// collections
	`decision := count(input.xs)`,
	`decision := "many" if count(input.xs) > 1`,
	`decision := "not many" if not count(input.xs) > 1`,
	`decision := {x | some x in input.xs} & {y | some y in input.ys}`,
	`decision := {x | some x in input.xs} - {y | some y in input.ys}`,
	`decision := {x | some x in input.xs} | {y | some y in input.ys}`,
	`decision := union({{x | some x in input.xs}, {1}})`,
	`decision := array.concat(input.xs, input.ys)`,
	`decision := array.slice(input.xs, 1, 2)`,
	`decision := object.keys(input.o)`,
	`decision := {k: v | some k, v in input.o}`,
	`decision := {k: v | some k in input.xs; some v in input.ys}`, // two values of a key contradict each other
	`decision := object.union(input.o, {"k": input.a})`,
	`decision := sort(input.xs)`,
	`decision := sort([x | some x in {y | some y in input.xs}])`,
	`decision := {[x, y] | some x in input.xs; some y in input.ys; x != y}`,
	`decision := [[y | some y in input.ys; y == x] | some x in input.xs]`,
	`decision := {i | input.xs[i] == input.a}`,
	`decision := input.xs[count(input.ys)]`,
	`decision := graph.reachable({"a": ["b"], "b": ["a", "c"]}, [input.a])`,
	`decision := [is_string(input.a), is_number(input.a), is_array(input.xs), is_object(input.o), is_null(input.a), type_name(input.a)]`,
	// every, in, else, functions, with
	"decision := \"all\" if {\n\tevery x in input.xs {\n\t\tx in input.ys\n\t}\n}",
	"decision := \"some\" if {\n\tevery x in input.xs {\n\t\tevery y in input.ys {\n\t\t\tx != y\n\t\t}\n\t}\n}",
	"decision := \"pair\" if {\n\tevery k, v in input.o {\n\t\tis_string(k)\n\t\tnot v == null\n\t}\n}",
	"decision := 1 if input.a == 1\n\nelse := 2 if input.a == 2\n\nelse := 3",
	"decision := f(input.a)\n\nf(1) := \"one\"\n\nf(x) := \"text\" if is_string(x)\n\nf(x) := \"null\" if x == null",
	"decision := f(input.a)\n\nf(x) := 1 if x\n\nf(x) := 2 if not x",
	"decision := x if {\n\tsome x in input.xs\n}", // several values contradict each other
	"decision contains x if {\n\tsome x in input.xs\n}",
	"decision[k] := v if {\n\tsome k in input.xs\n\tv := count(input.xs)\n}",
	"decision := x if x := g with input.a as 7 with data.facts as {\"x\": input.b}\n\ng := {\"a\": input.a, \"facts\": data.facts, \"xs\": object.get(input, \"xs\", null)}",
	"decision := [g, h] \n\ng := {x | some x in input.xs}\n\nh := count(g) if g",
	"decision := {\"y\": y, \"z\": z} if {\n\t[y, z] := input.xs\n}",
	"decision := y if {\n\t{\"k\": y} = input.o\n}",
	"decision := walked if {\n\twalked := {x | some x in input.xs; is_array(x)}\n}",
	`decision := input.a in {1, "a", null, true, [1], {"k": 1}}`,
	"decision := \"found\" if \"k\", 1 in input.o",
}

var awkwardData = map[string]any{"facts": map[string]any{"a": 1, "b": []any{"x"}, "é": nil}}

// randomInput is what awkward rules read; each member is there or not.
func randomInput(r *rand.Rand) []byte {
	in := map[string]any{}
	for _, name := range []string{"a", "b", "xs", "ys", "o"} {
		switch {
		case r.IntN(12) == 0:
		case r.IntN(12) == 0:
			in[name] = randomValue(r, 2)
		case name == "xs" || name == "ys":
			list := make([]any, r.IntN(4))
			for i := range list {
				list[i] = randomValue(r, 1)
			}
			in[name] = list
		case name == "o":
			in[name] = map[string]any{"k": randomValue(r, 1), "é": randomValue(r, 0)}
		default:
			in[name] = randomValue(r, 0)
		}
	}
	b, err := json.Marshal(in)
	if err != nil {
		panic(err)
	}
	return b
}

func randomValue(r *rand.Rand, depth int) any {
	scalars := []any{nil, true, false, 0, 1, 2, -1, 3, 7, 1.5, -0.25, 1e21, json.Number("9007199254740993"), json.Number("123456789012345678901234567890"),
		json.Number("1.0"), json.Number("1e2"), json.Number("-0"), "", "a", "b", "A", "é", "É", "abc", "a b", "ß", "İ", "日本", "\u2028", "\u0000", "\"", "\\", "10", "1.5", "0x10", " 7", "1e3", "[1,2]"}
	if n := r.IntN(10); depth > 0 && n < 3 {
		if n == 0 {
			return map[string]any{"k": randomValue(r, depth-1)}
		}
		list := make([]any, r.IntN(3))
		for i := range list {
			list[i] = randomValue(r, depth-1)
		}
		return list
	}
	return scalars[r.IntN(len(scalars))]
}

// ask wants n random inputs to mean the same in both engines, for each rule.
func ask(t *testing.T, p *policy.Pair, rules []string, seed uint64, n int) {
	t.Helper()
	for i, rule := range rules {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		for range n {
			in := randomInput(r)
			if o := p.Ask(i, in); !o.Same() {
				t.Errorf("%s\ninput:   %s\ntopdown: %s\nwasm:    %s", rule, in, o.Topdown, o.Wasm)
				break
			}
		}
	}
}

func TestAwkwardRulesMeanTheSameInBothEngines(t *testing.T) {
	t.Parallel()
	p := pair(t, awkward...)
	n := 300
	if *soak {
		n = 10_000
	}
	ask(t, p, awkward, 7, n)
}

func FuzzAwkwardRules(f *testing.F) {
	f.Add(uint64(1))
	p := pair(f, awkward...)
	f.Fuzz(func(t *testing.T, seed uint64) { ask(t, p, awkward, seed, 3) })
}

func pair(t testing.TB, rules ...string) *policy.Pair {
	t.Helper()
	p, err := policy.NewPair(awkwardData, rules)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// These are known. The numbers can't come of an input that the gateway makes: it has whole ones only, in members that are typed. The
// others deny in Wasm.
func TestWhereTheEnginesDiffer(t *testing.T) {
	t.Parallel()
	rows := []struct{ name, rule, input, topdown, wasm string }{
		{"a number with a fraction as an index", `decision := input.xs[input.a]`, `{"a": 1.0, "xs": ["x", "y"]}`, `"y"`, "undefined"},
		{"a number as the name of a fact", `decision := data.numbers[input.a]`, `{"a": 1}`, "false", "undefined"},
		{"text that is not UTF-8", `decision := base64.decode(input.a)`, `{"a": "/w=="}`, `"\xff"`, "error"},
		{"an error in a rule that the index excludes", `decision := [trim_space(input.a), trim_space(input.b)]`, `{"a": 1}`, "undefined", "error"},
	}
	for i, r := range rows {
		p, err := policy.NewPair(map[string]any{"numbers": map[string]any{"1": false}}, []string{r.rule})
		if err != nil {
			t.Fatal(err)
		}
		o := p.AskIndexed(0, []byte(r.input))
		if d := cmp.Diff([]string{r.topdown, r.wasm}, []string{o.Topdown.String(), o.Wasm.String()}); d != "" {
			t.Errorf("%d: %s (-want +got):\n%s", i, r.name, d)
		}
		p.Close()
	}
}

// What one request leaves in an instance can't reach the next: each input means the same after any other as in a fresh instance.
func TestNothingOfOneEvaluationReachesTheNext(t *testing.T) {
	t.Parallel()
	p := pair(t, awkward...)
	r := rand.New(rand.NewPCG(3, 3))
	type question struct {
		rule  int
		input []byte
	}
	var questions []question
	for i := range awkward {
		questions = append(questions, question{i, randomInput(r)})
	}
	alone := make([]string, len(questions))
	for i, q := range questions {
		alone[i] = p.Wasm(q.rule, q.input, true).String()
	}
	for i, a := range questions {
		for j, b := range questions {
			p.Wasm(a.rule, a.input, false)
			if got := p.Wasm(b.rule, b.input, false).String(); sorted(got) != sorted(alone[j]) {
				t.Fatalf("after %s with %s, %s with %s is %s, alone %s", awkward[i], a.input, awkward[j], b.input, got, alone[j])
			}
		}
	}
}

// sorted is a text that does not depend on the order of a set or an object.
func sorted(s string) string {
	b := []byte(s)
	slices.Sort(b)
	return string(b)
}
