package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// OPA's Wasm answers a builtin's error with "undefined", which "not" would turn into a proof; topdown, as we run it, ends the
// evaluation. And some of the builtins that OPA wrote again in C for Wasm differ from those in Go, in numbers and in text. So for
// Wasm the calls of builtins in modules are rewritten, by what is known of each builtin:
//
//   - one that can't fail and is the same is left to Wasm (unfailing);
//   - one that is the same but can fail is left to Wasm as long as it has a value (fast): where it has none, Go is asked, which then
//     ends the evaluation or agrees that there is none;
//   - any other is answered by Go, in the form that topdown uses.
//
// What still differs (a test has examples of each): topdown spares itself rules that its index excludes, so Wasm may meet an error
// there and deny; a number that is written with a fraction or an exponent, such as 1.0, is no index of a list in Wasm; and a number
// picks no member of an object under data, which topdown takes for its text. Inputs and data hold whole numbers only. A builtin that
// makes text that is not UTF-8 ends the evaluation in Wasm.

// unfailing builtins are the same in Wasm and Go for all values, and have no errors.
var unfailing = wordSet(`eq equal assign neq lt lte gt gte internal.member_2 internal.member_3
	is_array is_boolean is_null is_number is_object is_set is_string type_name
	print internal.print rego.metadata.chain rego.metadata.rule`) // the compiler replaces the last line

// fast builtins are the same in Wasm and Go for all values for which Wasm's has a value, of minus for sets: of numbers, the two round
// differently.
var fast = wordSet(`count union intersection and or minus set_diff array.concat array.slice object.get object.keys
	startswith endswith contains graph.reachable`)

func wordSet(text string) map[string]bool {
	set := map[string]bool{}
	for _, w := range strings.Fields(text) {
		set[w] = true
	}
	return set
}

// Names that no author can write: "go:count" is the builtin count as Go has it, and checked is the package of functions such as
// "wasm:count", which ask Wasm first.
const (
	goPrefix   = "go:"
	wasmPrefix = "wasm:"
	checked    = "wasm:checked"
)

// strictly returns copies of modules in which calls of builtins are rewritten, with the functions that this needs, and what the
// compiler must know of the builtins of Go that they call.
func strictly(modules map[string]*ast.Module, builtins []*ast.Builtin) (map[string]*ast.Module, []*ast.Builtin) {
	known := map[string]*ast.Builtin{}
	for _, b := range builtins {
		known[b.Name] = b
	}
	asks := map[string]bool{}    // functions of the package checked
	answers := map[string]bool{} // builtins of Go
	own := functions(modules)
	out := map[string]*ast.Module{}
	for file, m := range modules {
		out[file] = m.Copy()
		rewriteCalls(out[file], func(op ast.Ref) ast.Ref {
			name := op.String()
			switch b := known[name]; {
			case b == nil || unfailing[name] || own[m.Package.Path.String()][name]:
				return op
			case fast[name]:
				asks[name], answers[name] = true, true
				return ast.DefaultRootRef.Append(ast.StringTerm(checked)).Append(ast.StringTerm(wasmPrefix + name))
			default:
				answers[name] = true
				return golang(known[name]).Ref()
			}
		})
	}
	if len(asks) > 0 {
		out[checked] = checkedModule(asks, known)
	}
	for _, name := range slices.Sorted(maps.Keys(answers)) {
		builtins = append(builtins, golang(known[name]))
	}
	return out, builtins
}

// functions returns the names, by package, that rules and imports give and that hide a builtin of the same name.
func functions(modules map[string]*ast.Module) map[string]map[string]bool {
	own := map[string]map[string]bool{}
	for _, m := range modules {
		path := m.Package.Path.String()
		if own[path] == nil {
			own[path] = map[string]bool{}
		}
		for _, r := range m.Rules {
			own[path][r.Head.Ref().String()] = true
		}
		for _, i := range m.Imports {
			own[path][i.Name().String()] = true
		}
	}
	return own
}

// rewriteCalls replaces the operator of each call in m.
func rewriteCalls(m *ast.Module, replace func(ast.Ref) ast.Ref) {
	operator := func(terms []*ast.Term) {
		if op, ok := terms[0].Value.(ast.Ref); ok {
			terms[0] = &ast.Term{Value: replace(op), Location: terms[0].Location}
		}
	}
	ast.NewGenericVisitor(func(x any) bool {
		switch x := x.(type) {
		case *ast.Expr:
			if terms, ok := x.Terms.([]*ast.Term); ok {
				operator(terms)
			}
		case ast.Call:
			operator(x)
		}
		return false
	}).Walk(m)
}

// checkedModule has a function for each name, which is what Wasm says and, where Wasm has no value, what Go says.
func checkedModule(names map[string]bool, known map[string]*ast.Builtin) *ast.Module {
	m := ast.MustParseModule("package checked")
	m.Package.Path = ast.DefaultRootRef.Append(ast.StringTerm(checked))
	for _, name := range slices.Sorted(maps.Keys(names)) {
		var params []string
		for i := range known[name].Decl.FuncArgs().Args {
			params = append(params, fmt.Sprintf("x%d", i))
		}
		args := strings.Join(params, ", ")
		when := ""
		if name == "minus" {
			when = "is_set(x0); is_set(x1); "
		}
		text := fmt.Sprintf("package checked\n\nf(%s) := r if { %sr := wasm(%s) } else := r if { r := golang(%s) }\n", args, when, args, args)
		function := ast.MustParseModule(text)
		rewriteCalls(function, func(op ast.Ref) ast.Ref {
			switch op.String() {
			case "wasm":
				return known[name].Ref()
			case "golang":
				return golang(known[name]).Ref()
			}
			return op
		})
		for _, r := range function.Rules {
			for ; r != nil; r = r.Else {
				r.Head.Reference = ast.Ref{ast.VarTerm(wasmPrefix + name)}
				r.Head.Name = ast.Var(wasmPrefix + name)
				r.Module = m
			}
		}
		m.Rules = append(m.Rules, function.Rules...)
	}
	return m
}

// golang is a builtin by the name of Go's own.
func golang(b *ast.Builtin) *ast.Builtin {
	renamed := *b
	renamed.Name, renamed.Infix = goPrefix+b.Name, ""
	return &renamed
}
