package policy_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// world is a small synthetic bundle in which everything is right; each test changes one thing.
const world = `
-- root/manifest.yaml --
name: root
revision: r1
serial: 1
not_before: "2026-01-01T00:00:00Z"
expires: "2030-01-01T00:00:00Z"
-- root/schemes/USA/data.yaml --
nation: USA
title: a scheme
levels:
  - {id: LOW, hierarchy: 1}
  - {id: HIGH, hierarchy: 2}
tag_sets:
  sci: {type: restrictive, values: [SI, TK]}
  project: {type: permissive, values: [RED, BLUE]}
  disclosure: {type: nation, values: [{id: NOFORN, affiliations: [USA]}]}
  cui: {type: handling, values: [CUI]}
  note: {type: informative, values: [DRAFT]}
native_clearances:
  CHECK: {opens: {USA: [LOW]}}
rules:
  excluded:
    - {levels: [LOW], tag_sets: [sci]}
-- root/schemes/GBR/data.yaml --
nation: GBR
title: another scheme
levels:
  - {id: LOWER, hierarchy: 1}
  - {id: UPPER, hierarchy: 2}
-- root/enclaves/data.yaml --
one:
  country: USA
  operator: {name: Provider, law: USA, reach: [USA]}
  keys: provider
  ceiling: [{scheme: USA, level: HIGH, tags: [SI, NOFORN, CUI]}]
-- root/reasons/data.yaml --
label.missing: {title: no label, controls: [AC-16], remedy: label it, requires: [], visible: never, scope: policy}
clearance.level: {title: too low, controls: [AC-3], remedy: ask, requires: [label.missing], visible: never, scope: policy}
system.timeout: {title: too late, controls: [SC-24], remedy: retry, requires: [], visible: always, scope: gateway}
-- root/issuers/data.yaml --
provider:
  issuer: https://issuers.example/provider
  jwks_uri: https://issuers.example/provider/jwks
  algorithms: [ES256]
  types: [at+jwt]
  max_lifetime_seconds: 3600
  grant:
    nations: []
    tenants: []
    types: [person]
    affiliations: [{kind: provider, organizations: [provider], countries: [USA]}]
    clearances: [{scheme: USA, level: HIGH}]
    relay: {USA: usa}
-- root/revocations/data.yaml --
{serial: 1, issued: "2026-01-01", max_age_seconds: null, subjects: []}
-- root/compliance/compliance.rego --
package compliance

default decision := {"allow": false, "unproven": {"label.missing"}, "reasons": {"label.missing"}, "obligations": set()}

required := {"label.missing", "clearance.level"}

decision := {"allow": true, "unproven": set(), "reasons": set(), "obligations": set()} if {
	input.resource.properties.labels[0].level == "LOW"
	data.enclaves[input.resource.properties.place.enclave].country == "USA"
}
-- root/compliance/compliance_test.rego --
package compliance_test

import data.compliance

test_deny_without_input if not compliance.decision.allow with input as {}
-- tenants/acme/manifest.yaml --
name: acme
revision: a1
serial: 7
not_before: "2026-01-01"
expires: "2029-01-01T01:00:00+01:00"
-- tenants/acme/tenant/data.yaml --
title: Acme
nation: USA
sessions: {tracked: false}
members: {actions: [read, list]}
roles: {}
services: {s3: {USA: [LOW, HIGH]}}
-- tenants/acme/catalogue/data.yaml --
rows:
  acme-plans/:
    service: s3
    owner: {nation: USA, originator: acme}
    labels: [{scheme: USA, level: HIGH, categories: {sci: [SI]}, release: [USA, GBR], created: "2024-01-01"}]
    constraints: {residency: [USA], processing: [USA], reach: any, egress: any, export: {mode: none, destinations: []}, personal_data: false}
    place: {enclave: one, replicas: [], backups: [one]}
    hold: false
  acme-plans/inner/:
    service: s3
    owner: {nation: USA, originator: acme}
    labels: [{scheme: USA, level: HIGH, categories: {sci: [SI]}, nation: [NOFORN], created: "2024-01-01"}]
    constraints: {residency: [USA], processing: [USA], reach: any, egress: any, export: {mode: none, destinations: []}, personal_data: false}
    place: {enclave: one, replicas: [], backups: []}
    hold: false
-- tenants/acme/partners/data.yaml --
partners:
  - {organization: uk, country: GBR, issuers: [gbr], rows: [acme-plans/], actions: [read], not_before: "2026-01-01", not_after: "2027-01-01"}
-- tenants/acme/agreements/data.yaml --
agreements:
  usa-gbr: {parties: [USA, GBR], not_before: "2020-01-01", not_after: "2040-01-01"}
equivalences:
  - {id: low, use: clearance, agreement: usa-gbr, label: [USA, LOW], clearance: [GBR, UPPER], labels_from: "2020-01-01", labels_to: null}
  - {id: high, use: clearance, agreement: usa-gbr, label: [USA, HIGH], clearance: [GBR, UPPER], labels_from: "2020-01-01", labels_to: null}
-- tenants/acme/personnel/data.yaml --
citizenships: [USA]
locations: [USA]
approvers: 2
justifications: [SUPPORT]
approvals:
  - {id: a1, operator: "provider|olga", row: acme-plans/, actions: [read], enclave: one, justification: SUPPORT, approvers: ["usa|ann", "usa|bob"], not_before: "2026-01-01", not_after: "2026-01-02"}
-- tenants/acme/issuers/data.yaml --
usa:
  issuer: https://issuers.example/usa
  jwks_uri: https://issuers.example/usa/jwks
  algorithms: [ES256]
  types: [at+jwt]
  max_lifetime_seconds: 3600
  grant:
    nations: [USA]
    tenants: [acme]
    types: [person]
    affiliations: [{kind: tenant, organizations: [acme], countries: [USA]}]
    clearances: [{scheme: USA, level: HIGH, categories: {sci: [SI]}}]
gbr:
  issuer: https://issuers.example/gbr
  jwks_uri: https://issuers.example/gbr/jwks
  algorithms: [ES256]
  types: [at+jwt]
  max_lifetime_seconds: 3600
  grant:
    nations: [GBR]
    tenants: []
    types: [person]
    affiliations: [{kind: partner, organizations: [uk], countries: [GBR]}]
    clearances: [{scheme: GBR, level: UPPER}]
-- tenants/acme/overlay/acme.rego --
package overlay.acme

object contains "not on this address" if input.context.source.address == "192.0.2.1"
-- tenants/acme-lab/manifest.yaml --
name: acme-lab
revision: l1
serial: 1
not_before: "2026-01-01"
expires: "2031-01-01"
-- tenants/acme-lab/tenant/data.yaml --
title: Acme's laboratory
nation: USA
sessions: {tracked: false}
members: {actions: []}
roles: {}
services: {}
`

// files reads the files of a literal such as world: "-- path --" and then the file.
func files(literal string) map[string]string {
	m := map[string]string{}
	for _, part := range strings.Split(literal, "\n-- ")[1:] {
		name, data, _ := strings.Cut(part, " --\n")
		m[name] = data + "\n"
	}
	return m
}

// change edits the files of a folder.
type change func(t testing.TB, files map[string]string)

// put writes a file.
func put(name, data string) change {
	return func(_ testing.TB, f map[string]string) { f[name] = data }
}

// swap replaces a text that stands in the file.
func swap(name, old, new string) change {
	return func(t testing.TB, f map[string]string) {
		if !strings.Contains(f[name], old) {
			t.Fatalf("%s has no %q", name, old)
		}
		f[name] = strings.Replace(f[name], old, new, 1)
	}
}

// drop deletes a file.
func drop(name string) change {
	return func(_ testing.TB, f map[string]string) { delete(f, name) }
}

// folder writes world with changes into a new folder.
func folder(t testing.TB, changes ...change) string {
	t.Helper()
	f := files(world)
	for _, c := range changes {
		c(t, f)
	}
	return write(t, f)
}

func write(t testing.TB, f map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range f {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// text returns the error with the folder left out.
func text(err error, dir string) string {
	if err == nil {
		return ""
	}
	return strings.ReplaceAll(strings.ReplaceAll(err.Error(), dir+string(filepath.Separator), ""), dir, "DIR")
}
