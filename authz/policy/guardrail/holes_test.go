package guardrail_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport-dev/sallyport/authz/policy"
)

const compliance = "compliance/"

// holes are mistakes that a security engineer could make. Each names the invariants of which at least one must catch it.
var holes = []struct {
	name      string
	edit      [3]string // file, text, what stands there instead
	invariant []string
}{
	{"a partner's clearance is never compared with the level", add("clearance", `satisfied contains "clearance.level" if input.subject.properties.affiliation.kind == "partner"`), []string{"I-1"}},
	{"an equivalence also counts the other way round", replace("equivalence", "	some row in data.tenants[tenant].agreements.equivalences\n", "	some given in data.tenants[tenant].agreements.equivalences\n	some row in [given, object.union(given, {\"label\": given.clearance, \"clearance\": given.label})]\n"), []string{"M2"}},
	{"the level comes from one clearance and a category from another", replace("carrier", "k2 := [[[k | some k in cell; _holds_all(k)] | some cell in line] | some line in k1]", "k2 := [[[k | some k in cell; _holds_all(k)] | some cell in line] | some line in k0]"), []string{"M3"}},
	{"what the issuer may not say is ignored", replace("identity", `["clearance", "community", "role", "export_status"]`, `["clearance", "community", "role", "export_status", "tenant", "affiliation", "nationality"]`), []string{"I-14"}},
	{"a cut clearance is ignored", replace("clearance", "split(value, \" \")[0] != scheme", "split(value, \" \")[0] != upper(trim(scheme, scheme))"), []string{"M7"}},
	{"an agreement never ends", replace("equivalence", "access.within(agreement.not_before, agreement.not_after)", "agreement.not_before <= access.time"), []string{"M1"}},
	{"a grant never ends", replace("tenant", "access.within(grant.not_before, grant.not_after)", "grant.not_before <= access.time"), []string{"M1"}},
	{"an unknown country is everywhere", replace("country", "	is_string(country)\n	country in rule", "	count(rule) > 0\n	_known_or_not(country)\n}\n\n_known_or_not(country) if {\n	is_string(country)"), []string{"I-17"}},
	{"no release list is everyone", replace("release", "audience(l) := owners(l.scheme) if l.release == null", "audience(l) := {s.nation | some s in data.schemes} if l.release == null"), []string{"I-11"}},
	{"no rule about egress is any", add("jurisdiction", "satisfied contains \"jurisdiction.egress\" if not input.resource.properties.constraints.egress"), []string{"I-6"}},
	{"no restrictive categories are all of them", replace("carrier", "	every value in values {\n		value in held_values\n	}", "	every value in values {\n		value in held_values\n	}\n}\n\n_all_or_other(\"restrictive\", _, held_values) if {\n	count(held_values) == 0"), []string{"I-3"}},
	{"no communities are all of them", add("tenant", "satisfied contains \"community.missing\" if count(input.subject.properties.communities) == 0"), []string{"I-3"}},
	{"any permissive value of the set will do", replace("carrier", "_one_or_other(\"permissive\", values, held_values) if {\n	some value in values\n	value in held_values\n}", "_one_or_other(\"permissive\", _, held_values) if count(held_values) > 0"), []string{"I-5"}},
	{"the first label decides", replace("carrier", "	some l in access.labels\n]", "	some l in [access.labels[0]]\n]"), []string{"I-9"}},
	{"a nation tag is decoration", replace("release", "	every tag in scheme.facts(l) {", "	every tag in [] {"), []string{"I-10"}},
	{"a writer may write below what he has seen", replace("flow", "	_session_below(input.subject.properties)\n", ""), []string{"I-12"}},
	{"a copy forgets the labels of its source", replace("flow", "	dominance.covers(source.tenant, access.labels, source.labels)\n", ""), []string{"I-13", "M4"}},
	{"a copy forgets the regime of its source", replace("flow", "	_keeps_export(target.export, source.export)\n", ""), []string{"I-19"}},
	{"the originator's consent is not asked for", replace("release", "_consent_for(true) if {", "_consent_for(true)\n\n_consent_for(true) if {"), []string{"I-27"}},
	{"a long name lets in", add("tenant", "satisfied contains \"tenant.mismatch\" if count(input.subject.id) > 40"), nil},
	{"a nation's people pass as foreign persons", add("export", "satisfied contains \"export.foreign_person\" if \"XAA\" in input.subject.properties.nationalities"), []string{"I-19"}},
	{"one approver is enough", replace("personnel", "count(approvers) >= access.owner.personnel.approvers", "count(approvers) >= 1"), []string{"I-20"}},
	{"an operator approves himself", replace("personnel", " - {input.subject.id}", ""), []string{"I-20"}},
	{"an approval holds for rows inside its row", replace("personnel", "	approval.row == input.resource.properties.row\n", "	startswith(approval.row, input.resource.properties.row)\n"), []string{"M8"}},
	{"a grant's prefix needs no slash", replace("tenant", "	startswith(input.resource.properties.row, row)\n", "	startswith(input.resource.properties.row, trim_suffix(row, \"/\"))\n"), []string{"M8"}},
	{"any issuer of any tenant may name the owner's people", replace("tenant", "	input.subject.properties.tenant == input.resource.properties.tenant\n	is_object(access.owner.issuers[input.subject.properties.issuer])\n", "	input.subject.properties.tenant == input.resource.properties.tenant\n"), []string{"I-14"}},
	{"equivalences of every tenant count", replace("equivalence", "	some row in data.tenants[tenant].agreements.equivalences\n", "	some part in data.tenants\n	is_string(tenant)\n	some row in part.agreements.equivalences\n"), []string{"I-29"}},
	{"an enclave holds whatever is one level above", replace("enclave", "	scheme.at_most(ceiling.scheme, level, ceiling.level)\n", "	scheme.at_most(ceiling.scheme, level, level)\n"), []string{"I-18"}},
	{"tags need no place in a ceiling", replace("enclave", "		tag in ceiling.tags\n", "		is_string(tag)\n"), []string{"I-18"}},
	{"backups are no places", replace("access", "{e | some e in p.backups} if", "{e | some e in p.backups; e in p.replicas} if"), []string{"I-17"}},
	{"an expired bundle goes on", replace("freshness", "access.within(part.not_before, part.expires)", "part.not_before <= access.time"), []string{"I-22"}},
	{"old revocations go on", replace("freshness", "	input.context.freshness.revocation_age <= data.revocations.max_age_seconds\n", ""), []string{"I-23"}},
	{"an unknown clock is trusted", replace("freshness", `["trusted", "floor"]`, `["trusted", "floor", "unknown"]`), []string{"I-24"}},
	{"revoked people go on", replace("identity", "	not input.subject.id in data.revocations.subjects\n", ""), []string{"M5"}},
	{"whoever is in between is not looked at", replace("carrier", "[object.get(member, \"clearances\", null) | some member in input.subject.properties.via],", "[],"), []string{"M5"}},
	{"what is under a hold is deleted", replace("hold", "	input.resource.properties.hold == false\n", ""), []string{"I-27"}},
	{"an unknown level is the lowest", replace("label", "			scheme.known(v)\n", "			is_string(v.level)\n"), []string{"I-7"}},
	{"an unknown verb reads", replace("access", `["administer", "delete", "execute", "list", "read", "relabel"]`, `["administer", "burn", "delete", "execute", "list", "read", "relabel"]`), []string{"I-7"}},
	{"a check is no longer required", replace("compliance", "	\"release.nation\",\n", ""), []string{"I-11"}},
	{"a level of one nation is open to all", add("clearance", "satisfied contains \"clearance.level\" if input.resource.properties.labels[0].scheme == \"GBR\""), []string{"I-1"}},
	{"reasons are all that is unproven", replace("compliance", "root_causes(unproven, data.reasons)", "unproven"), []string{"M6"}},
	{"one tenant's rows need no clearance", add("clearance", "satisfied contains id if {\n	input.resource.properties.tenant == \"fr-space\"\n	some id in [\"clearance.level\", \"category.restrictive\"]\n}"), []string{"I-1"}},
}

func add(topic, rule string) [3]string {
	return [3]string{file(topic), "", rule}
}

func replace(topic, old, replacement string) [3]string {
	return [3]string{file(topic), old, replacement}
}

func file(topic string) string {
	if topic == "compliance" {
		return compliance + "compliance.rego"
	}
	return compliance + topic + "/" + topic + ".rego"
}

// TestEveryPlantedHoleIsCaught also runs each counterexample as the Rego test that it is: it fails beside the hole.
func TestEveryPlantedHoleIsCaught(t *testing.T) {
	for i, hole := range holes {
		t.Run(hole.name, func(t *testing.T) {
			t.Parallel()
			if testing.Short() && i%8 != 0 {
				t.Skip("short: every eighth hole")
			}
			dir := folder(t, hole.edit)
			if strings.Contains(hole.edit[2], "fr-space") {
				dir = bundle(t, [3]string{"root/" + hole.edit[0], hole.edit[1], hole.edit[2]}) // the hole is about its own rows
			}
			report, err := check(t, dir)
			caught := broken(report)
			if len(caught) == 0 || len(hole.invariant) > 0 && !slices.ContainsFunc(caught, func(id string) bool { return slices.Contains(hole.invariant, id) }) {
				t.Fatalf("caught by %v, want one of %v; %v", caught, hole.invariant, err)
			}
			failing := 0
			for _, v := range report.Invariants {
				if v.Counterexample == nil {
					continue
				}
				failing++
				name := filepath.Join(filepath.Dir(regoIn(t, dir)), fmt.Sprintf("counterexample%d_test.rego", failing))
				if err := os.WriteFile(name, []byte(v.Counterexample.Test), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			tests, err := policy.Test(t.Context(), dir)
			if !errors.Is(err, policy.ErrTests) {
				t.Fatalf("the counterexamples pass as tests: %v", err)
			}
			for _, r := range tests.Tests {
				if r.Pass {
					t.Errorf("%s passes beside the hole", r.Name)
				}
			}
			if len(tests.Tests) != failing {
				t.Errorf("%d tests of %d counterexamples", len(tests.Tests), failing)
			}
		})
	}
}

// regoIn returns the file of the decision.
func regoIn(t testing.TB, dir string) string {
	t.Helper()
	for _, name := range []string{"compliance/compliance.rego", "root/compliance/compliance.rego"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return filepath.Join(dir, name)
		}
	}
	t.Fatal("no compliance.rego in " + dir)
	return ""
}
