package policy

import (
	"context"
	"encoding/json"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/sallyport-dev/sallyport/authz"
)

// ReadsID reports whether e takes its policy to read input.resource.id.
func ReadsID(e *Engine) bool { return e.readsID }

// Grid returns the inputs of which a rehearsal is a sample.
func Grid(b *Bundle) []json.RawMessage { return b.grid() }

// ReadAnswer reads values as the results of the entrypoint.
func ReadAnswer(known map[authz.Reason]bool, values ...ast.Value) (authz.Decision, error) {
	var results rego.ResultSet
	for _, v := range values {
		results = append(results, rego.Result{Expressions: []*rego.ExpressionValue{{Value: v}}})
	}
	a, err := answerOf(results)
	if err != nil {
		return authz.Decision{}, err
	}
	return a.decision(known)
}

// Documents checks documents outside a folder, one after the other.
type Documents struct{ schemas schemas }

// NewDocuments returns a Documents.
func NewDocuments() Documents { return Documents{newSchemas()} }

// Read reads data as the document of that schema, and returns it as JSON.
func (d Documents) Read(schema string, data []byte) ([]byte, error) {
	var r report
	doc, ok := parseDocument(file{"data.yaml", data}, rewriteTimes, &r)
	if ok {
		d.schemas.validate(doc, schema, &r)
	}
	if err := r.err(""); err != nil {
		return nil, err
	}
	return json.Marshal(doc.value)
}

// Encode returns the policy input as Decide makes it, and where in it the text of resource.id is.
func Encode(in authz.Input) ([]byte, [2]int, error) {
	request, err := newInputs(&in.Subject, &in.Context)
	if err != nil {
		return nil, [2]int{}, err
	}
	b, id := request.of(&authz.Access{Action: in.Action, Resource: in.Resource})
	return b, id, nil
}

// DecideText judges one input as it is.
func DecideText(e *Engine, input []byte) (authz.Decision, error) {
	d, err := e.decide(context.Background(), []json.RawMessage{input}, []string{ownerIn(input)})
	if err != nil {
		return authz.Decision{}, err
	}
	return d[0], nil
}

// Explainer returns what explains inputs of e, which was made of b.
func Explainer(t testing.TB, e *Engine, b *Bundle) func(input []byte) Explanation {
	t.Helper()
	x, err := newExplainer(t.Context(), b, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { x.store.Abort(context.Background(), x.txn) })
	return func(input []byte) Explanation {
		t.Helper()
		explanation, err := e.explain(x, input)
		if err != nil {
			t.Fatal(err)
		}
		return explanation
	}
}

// InstanceBytes returns how much memory an instance of e may have at most: what the data takes, and what an evaluation may.
func InstanceBytes(t testing.TB, e *Engine) int {
	t.Helper()
	in, err := e.program.instantiate()
	if err != nil {
		t.Fatal(err)
	}
	defer in.close()
	most, _ := in.memory.Definition().Max()
	return int(most) * pageSize
}
