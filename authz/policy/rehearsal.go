package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/sallyport-dev/sallyport/authz"
)

// rehearsals is how many inputs both engines judge before a bundle comes into force. More would make an activation slow; a test
// judges all of them, and the shadow goes on in service.
const rehearsals = 64

// rehearse lets both engines look at inputs about what the tenant owns, and refuses the bundle if they ever differ. Inputs for which the
// overlay needs more than it may are left out: topdown has no bounds.
func (v *overlay) rehearse(ctx context.Context, b *Bundle, tenant string, c *ast.Compiler) error {
	query, err := rego.New(
		rego.ParsedQuery(ast.NewBody(ast.NewExpr(ast.NewTerm(ast.MustParseRef("data.overlay").Append(ast.StringTerm(tenant)).Append(ast.StringTerm("object")))))),
		rego.Compiler(c),
		rego.Store(inmem.NewFromObjectWithOpts(b.overlayData(tenant), inmem.OptRoundTripOnWrite(false))),
		rego.StrictBuiltinErrors(true),
	).PrepareForEval(ctx)
	if err != nil {
		return compileFailure(b.dir, err)
	}
	var in *instance
	for _, input := range choose(b.grid(), func(input []byte) bool { return ownerIn(input) == tenant }) {
		var said verdict
		if said, in = v.evaluate(in, input); said.reason == late.reason || in == nil && said.Failed == exhausted {
			break
		}
		want := reference(ctx, query, input)
		if want.reason == late.reason {
			break
		}
		if slices.Equal(said.Texts, want.Texts) && said.reason == want.reason {
			continue
		}
		var r report
		r.add("tenants/"+tenant+"/overlay/", 0, "the engines disagree (wasm objects with %q, topdown with %q): write the rule otherwise. The input: %s", said.Texts, want.Texts, input)
		return r.err(b.dir)
	}
	if in != nil {
		return in.close()
	}
	return nil
}

// reference is what topdown says for an overlay.
func reference(ctx context.Context, query rego.PreparedEvalQuery, input []byte) (said verdict) {
	defer func() {
		if r := recover(); r != nil {
			said = unanswered(fmt.Errorf("%v", r))
		}
	}()
	value, err := ast.ValueFromReader(bytes.NewReader(input))
	must(err) // grid made it
	stop := topdown.NewCancel()
	defer time.AfterFunc(shadowTimeout, stop.Cancel).Stop()
	results, err := query.Eval(ctx, rego.EvalParsedInput(value), rego.EvalExternalCancel(stop))
	switch {
	case stop.Cancelled():
		return late
	case err != nil:
		return unanswered(err)
	}
	if texts, _ := results[0].Expressions[0].Value.([]any); len(texts) > 0 {
		return objecting(texts)
	}
	return verdict{}
}

// choose returns the same few inputs each time, of those that are fit.
func choose(inputs []json.RawMessage, fit func([]byte) bool) []json.RawMessage {
	random := rand.New(rand.NewPCG(1, 2))
	random.Shuffle(len(inputs), func(i, j int) { inputs[i], inputs[j] = inputs[j], inputs[i] })
	var chosen []json.RawMessage
	for i := 0; i < len(inputs) && len(chosen) < rehearsals; i++ {
		if fit(inputs[i]) {
			chosen = append(chosen, inputs[i])
		}
	}
	return chosen
}

// rehearse lets both engines judge inputs made of the bundle's own facts, and refuses the bundle if they ever differ.
func (e *Engine) rehearse(b *Bundle) error {
	var in *instance
	for _, input := range choose(b.grid(), func([]byte) bool { return true }) {
		d := Disagreement{Input: input}
		if d.Wasm, in = e.evaluate(in, input, topdown.NewCancel()); e.compare(&d) {
			continue
		}
		var r report
		r.add("", 0, "the engines disagree (%s): write the rule otherwise, or run it with policy.engine: topdown. The input: %s", d, input)
		return r.err(b.dir)
	}
	if in != nil {
		return in.close()
	}
	return nil
}

// grid returns policy inputs of everybody whom the bundle's issuers may speak for, with each thing that can be done to each row: who
// has all that his issuer may give him, and who has nothing. It is made of facts alone, so it fits any bundle.
func (b *Bundle) grid() []json.RawMessage {
	var out []json.RawMessage
	subjects, approvals, now := b.subjects()
	accesses := b.accesses()
	for i := range subjects {
		c := authz.Context{
			Time: now, Gateway: authz.Gateway{ID: "gateway", Enclaves: slices.Sorted(maps.Keys(b.enclaves()))},
			Source: authz.Source{Country: &subjects[i].Location, Basis: "claim"}, Freshness: b.Freshness(now.Time), Approvals: approvals,
		}
		c.Freshness.Clock = "trusted"
		in, err := newInputs(&subjects[i], &c)
		must(err) // no value of a cut is anything but text
		for j := range accesses {
			input, _ := in.of(&accesses[j])
			out = append(out, input)
		}
	}
	return out
}

func (b *Bundle) enclaves() map[string]json.RawMessage {
	return documentOf[map[string]json.RawMessage](b, "enclaves")
}

// tenantDocs are the documents of a tenant that make accesses and subjects.
type tenantDocs struct {
	Catalogue struct {
		Rows map[string]json.RawMessage
	}
	Personnel struct{ Approvals []authz.Approval }
	Issuers   map[string]issuerDoc
}

type issuerDoc struct {
	Grant struct {
		Types        []string
		Tenants      []string
		Affiliations []struct {
			Kind          string
			Organizations []string
			Countries     []string
		}
		Nationalities []string
		ExportStatus  []string `json:"export_status"`
		Communities   []string
		Roles         []string
		Clearances    []struct {
			Scheme, Level string
			Categories    map[string][]string
		}
	}
}

// documentOf returns a document of the bundle, whose schema has been checked, as far as T knows it.
func documentOf[T any](b *Bundle, name string) (v T) {
	must(json.Unmarshal(b.Document(name), &v))
	return v
}

func (b *Bundle) subjects() (subjects []authz.Subject, approvals []authz.Approval, now authz.Time) {
	now = b.begins
	issuers := documentOf[map[string]issuerDoc](b, "issuers")
	tenants := documentOf[map[string]tenantDocs](b, "tenants")
	if issuers == nil {
		issuers = map[string]issuerDoc{}
	}
	for _, t := range slices.Sorted(maps.Keys(tenants)) {
		maps.Copy(issuers, tenants[t].Issuers)
		approvals = append(approvals, tenants[t].Personnel.Approvals...)
	}
	for _, a := range approvals {
		if a.NotBefore.After(now.Time) {
			now = a.NotBefore
		}
	}
	for _, id := range slices.Sorted(maps.Keys(issuers)) {
		grant := issuers[id].Grant
		for _, a := range grant.Affiliations {
			s := authz.Subject{Type: first(grant.Types), ID: id + "|rehearsal", Location: first(a.Countries), Properties: authz.SubjectProperties{
				Issuer: id, Affiliation: &authz.Affiliation{Kind: a.Kind, Organization: first(a.Organizations), Country: first(a.Countries)},
				Assurance: authz.Assurance{Binding: "none"}, Via: []authz.Via{}, Cut: []authz.Cut{},
			}}
			if a.Kind == "tenant" && len(grant.Tenants) > 0 {
				s.Properties.Tenant = &grant.Tenants[0]
			}
			for _, approval := range approvals {
				if a.Kind == "provider" && len(approval.Operator) > len(id) && approval.Operator[:len(id)+1] == id+"|" {
					s.ID = approval.Operator
				}
			}
			weak := s
			weak.Properties.Cut = []authz.Cut{{Claim: "clearance", Value: "USA SECRET", Why: "rehearsal"}}
			s.Properties.Nationalities, s.Properties.ExportStatus = grant.Nationalities, grant.ExportStatus
			s.Properties.Communities, s.Properties.Roles = grant.Communities, grant.Roles
			s.Properties.Session = authz.Session{Tracked: true, HighWater: []authz.Label{}}
			for _, c := range grant.Clearances {
				s.Properties.Clearances = append(s.Properties.Clearances, authz.Clearance{
					Scheme: c.Scheme, Levels: b.levels(c.Scheme, c.Level), Categories: c.Categories, Sponsor: id,
					NotBefore: now, NotAfter: authz.At(now.Add(time.Hour)),
				})
			}
			subjects = append(subjects, s, weak)
		}
	}
	return subjects, approvals, now
}

// levels returns the levels of a scheme up to one.
func (b *Bundle) levels(scheme, top string) []string {
	schemes := documentOf[map[string]struct {
		Levels []struct {
			ID        string
			Hierarchy int
		}
	}](b, "schemes")
	var levels []string
	for _, l := range schemes[scheme].Levels {
		for _, t := range schemes[scheme].Levels {
			if t.ID == top && l.Hierarchy <= t.Hierarchy {
				levels = append(levels, l.ID)
			}
		}
	}
	return levels
}

// accesses returns what can be done to each row, copies and moves to the next row included.
func (b *Bundle) accesses() []authz.Access {
	var rows []authz.ResourceProperties
	tenants := documentOf[map[string]tenantDocs](b, "tenants")
	for _, t := range slices.Sorted(maps.Keys(tenants)) {
		for _, id := range slices.Sorted(maps.Keys(tenants[t].Catalogue.Rows)) {
			p := authz.ResourceProperties{Row: &id, Tenant: &t}
			must(json.Unmarshal(tenants[t].Catalogue.Rows[id], &p))
			rows = append(rows, p)
		}
	}
	rows = append(rows, authz.ResourceProperties{})
	var out []authz.Access
	for i, row := range rows {
		next := rows[(i+1)%len(rows)]
		add := func(action string, to authz.To, from []authz.Origin, labels []authz.Label) {
			out = append(out, authz.Access{
				Action: authz.Action{Name: action, Properties: authz.ActionProperties{
					Protocol: "rehearsal", Operation: action, RequestLabels: labels, From: from, To: to,
				}},
				Resource: authz.Resource{Type: "object", ID: fmt.Sprint("rehearsal:", i), Properties: row},
			})
		}
		client, object := authz.To{Kind: "client"}, authz.To{Kind: "object", Row: row.Row}
		if row.Place != nil {
			object.Enclave = &row.Place.Enclave
		}
		self := []authz.Origin{{Row: row.Row, Tenant: row.Tenant, Owner: row.Owner, Labels: row.Labels, Constraints: row.Constraints}}
		other := []authz.Origin{{Row: next.Row, Tenant: next.Tenant, Owner: next.Owner, Labels: next.Labels, Constraints: next.Constraints}}
		for _, action := range []string{"read", "list", "delete", "administer"} {
			add(action, client, []authz.Origin{}, []authz.Label{})
		}
		add("create", object, []authz.Origin{}, []authz.Label{})
		add("create", object, self, row.Labels)
		add("create", object, other, []authz.Label{})
		add("update", object, other, next.Labels)
		add("relabel", object, self, next.Labels)
		for _, enclave := range slices.Sorted(maps.Keys(b.enclaves())) {
			add("read", authz.To{Kind: "enclave", Enclave: &enclave}, []authz.Origin{}, []authz.Label{})
		}
		add("execute", authz.To{Kind: "enclave", Enclave: object.Enclave}, nil, nil)
		out[len(out)-1].Resource.Type = "job"
	}
	return out
}

func first(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return list[0]
}
