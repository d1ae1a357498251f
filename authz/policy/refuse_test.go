package policy_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz/policy"
)

const (
	catalogue  = "tenants/acme/catalogue/data.yaml"
	partners   = "tenants/acme/partners/data.yaml"
	agreements = "tenants/acme/agreements/data.yaml"
	personnel  = "tenants/acme/personnel/data.yaml"
	issuers    = "tenants/acme/issuers/data.yaml"
	manifest   = "tenants/acme/manifest.yaml"
	overlay    = "tenants/acme/overlay/acme.rego"
	usa        = "root/schemes/USA/data.yaml"
	reasons    = "root/reasons/data.yaml"
	rules      = "root/compliance/compliance.rego"
)

type refusal struct {
	name   string
	change change
	want   string // the whole error
}

func refuse(t *testing.T, rows []refusal) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t, r.change)
			_, err := policy.Load(dir)
			if d := cmp.Diff(r.want, text(err, dir)); d != "" {
				t.Errorf("error (-want +got):\n%s", d)
			}
			if code := policy.ExitCode(err); err != nil && code != 3 {
				t.Errorf("exit code %d, want 3", code)
			}
		})
	}
}

func TestLoadRefusesWhatIsNotPlainYAML(t *testing.T) {
	t.Parallel()
	refuse(t, []refusal{
		{"no YAML at all", put(usa, "nation: [USA\n"),
			"root/schemes/USA/data.yaml:1: is not YAML: did not find expected ',' or ']'; correct it"},
		{"an empty file", put(usa, "# nothing\n"),
			"root/schemes/USA/data.yaml: is empty; write the document, or delete the file"},
		{"two documents", swap(manifest, "serial: 7", "serial: 7\n---\nserial: 8"),
			"tenants/acme/manifest.yaml:4: holds more than one document; keep the first"},
		{"a repeated member", swap(manifest, "serial: 7", "serial: 7\nserial: 8"),
			`tenants/acme/manifest.yaml:4: member "serial" stands here twice; keep one`},
		{"an anchor", swap(manifest, "serial: 7", "serial: &s 7"),
			"tenants/acme/manifest.yaml:3: the anchor &s; write the value out where it is wanted"},
		{"an alias", swap(catalogue, "hold: false", "hold: *s"),
			"tenants/acme/catalogue/data.yaml: is not YAML: unknown anchor 's' referenced; correct it"},
		{"a merge key", swap(manifest, "serial: 7", "<<: {serial: 7}"),
			"tenants/acme/manifest.yaml:3: the merge key <<; write the members out"},
		{"a tag", swap(manifest, "serial: 7", "serial: !!int 7"),
			"tenants/acme/manifest.yaml:3: the tag !!int; leave it out"},
		{"a number that is not whole", swap(manifest, "serial: 7", "serial: 7.5"),
			"tenants/acme/manifest.yaml:3: 7.5: numbers are whole and decimal; write it so, or put it in quotes"},
		{"a hexadecimal number", swap(manifest, "serial: 7", "serial: 0x7"),
			"tenants/acme/manifest.yaml:3: 0x7: numbers are whole and decimal; write it so, or put it in quotes"},
		{"another spelling of true", swap(catalogue, "hold: false", "hold: False"),
			"tenants/acme/catalogue/data.yaml:8: False: write true or false, or put it in quotes"},
		{"a list as a name", swap(manifest, "serial: 7", "? [serial]\n: 7"),
			"tenants/acme/manifest.yaml:3: a member's name must be plain text; write it so"},
		{"lists without end", put(usa, "a: "+nested(40)+"\n"),
			"root/schemes/USA/data.yaml:1: is nested more than 32 deep; flatten it"},
		{"a time that is none", swap(manifest, "2026-01-01", "2026-02-30"),
			`tenants/acme/manifest.yaml:4: not_before: "2026-02-30" is no time; write a time in RFC 3339 (2026-01-02T15:04:05Z) or a date (2026-01-02)`},
		{"YAML in a JSON file", put("root/enclaves/data.json", "one: {}\n"),
			"root/enclaves/data.json: is not JSON; correct it, or name it data.yaml"},
	})
}

func nested(n int) string {
	s := ""
	for range n {
		s += "["
	}
	for range n {
		s += "]"
	}
	return s
}

func TestLoadRefusesFilesItDoesNotKnow(t *testing.T) {
	t.Parallel()
	refuse(t, []refusal{
		{"a file of another kind", put("root/enclaves/data.yml", "{}\n"),
			"root/enclaves/data.yml: unknown file; a part holds manifest.yaml, README.md, <document>/data.yaml (or data.json) and *.rego"},
		{"a hidden file", put("tenants/acme/.swp", ""),
			"tenants/acme/.swp: unknown file; a part holds manifest.yaml, README.md, <document>/data.yaml (or data.json) and *.rego"},
		{"a file beside the parts", put("notes.txt", ""),
			"notes.txt: a bundle holds root/, tenants/<id>/ and README.md; move it or delete it"},
		{"a file beside the tenants", put("tenants/notes.txt", ""),
			"tenants/notes.txt: a bundle holds root/, tenants/<id>/ and README.md; move it or delete it"},
		{"a document with another name", put("root/enclave/data.yaml", "{}\n"),
			`root/enclave/data.yaml: unknown document "enclave"; did you mean "enclaves"?`},
		{"a tenant's document in the root", put("root/catalogue/data.yaml", "rows: {}\n"),
			`root/catalogue/data.yaml: unknown document "catalogue"; known are enclaves, issuers, reasons, revocations, schemes/<ID>, services`},
		{"the root's document in a tenant's part", put("tenants/acme/enclaves/data.yaml", "{}\n"),
			`tenants/acme/enclaves/data.yaml: unknown document "enclaves"; known are agreements, catalogue, issuers, partners, personnel, tenant`},
		{"a document in two forms", put("root/enclaves/data.json", "{}\n"),
			`root/enclaves/data.yaml: the document "enclaves" is in root/enclaves/data.json too; keep one`},
		{"a scheme one folder too deep", put("root/schemes/USA/x/data.yaml", "{}\n"),
			`root/schemes/USA/x/data.yaml: unknown document "schemes/USA/x"; known are enclaves, issuers, reasons, revocations, schemes/<ID>, services`},
		{"a tenant with no id", put("tenants/Acme/manifest.yaml", "{}\n"),
			`tenants/Acme: "Acme" is no tenant id; use lower-case letters, digits and hyphens, 2 to 63, and neither root nor gateway`},
		{"a tenant named gateway", put("tenants/gateway/manifest.yaml", "{}\n"),
			`tenants/gateway: "gateway" is no tenant id; use lower-case letters, digits and hyphens, 2 to 63, and neither root nor gateway`},
	})
}

func TestLoadRefusesWhatDoesNotFitItsSchema(t *testing.T) {
	t.Parallel()
	refuse(t, []refusal{
		{"a misspelt member", swap(agreements, "clearance: [GBR, UPPER]", "clearence: [GBR, UPPER]"),
			`tenants/acme/agreements/data.yaml:4: equivalences.0: unknown member "clearence"; did you mean "clearance"?`},
		{"a member like no other", swap("tenants/acme/tenant/data.yaml", "title: Acme", "title: Acme\nzzzzzzzzzz: 1"),
			`tenants/acme/tenant/data.yaml:2: unknown member "zzzzzzzzzz"; known are approved_by, audit, binding, members, nation, review_by, roles, services, sessions, source, title`},
		{"a member that is missing", swap(catalogue, "    hold: false\n", ""),
			`tenants/acme/catalogue/data.yaml:2: rows.acme-plans/: member "hold" is missing; add it`},
		{"another type", swap(manifest, "serial: 7", "serial: seven"),
			"tenants/acme/manifest.yaml:3: serial: have string; want integer"},
		{"a serial of zero", swap(manifest, "serial: 7", "serial: 0"),
			"tenants/acme/manifest.yaml:3: serial: minimum: got 0, want 1; correct it"},
		{"a value that is none of those", swap(agreements, "use: clearance", "use: clearence"),
			`tenants/acme/agreements/data.yaml:4: equivalences.0.use: unknown value "clearence"; did you mean "clearance"?`},
		{"a country in lower case", swap(catalogue, "residency: [USA]", "residency: [usa]"),
			`tenants/acme/catalogue/data.yaml:6: rows.acme-plans/.constraints.residency.0: "usa"; want an ISO 3166-1 alpha-3 code, such as USA`},
		{"a place that is neither any nor a list", swap(catalogue, "reach: any", "reach: all"),
			`tenants/acme/catalogue/data.yaml:6: rows.acme-plans/.constraints.reach: no such value is allowed; want "any" (no rule) or a list of countries; an empty list allows nowhere`},
		{"a row's name that is none", swap(catalogue, "acme-plans/inner/", "Acme/"),
			`tenants/acme/catalogue/data.yaml:9: rows: member "Acme/": its name is none; want a row id: bucket/, bucket/prefix/, job:queue, http:name/prefix/ or grpc:name/prefix/`},
		{"a scheme's name that is none", put("root/schemes/usa/data.yaml", "nation: USA\ntitle: a\nlevels: [{id: A, hierarchy: 1}]\n"),
			`root/schemes/usa/data.yaml: unknown document "schemes/usa"; known are enclaves, issuers, reasons, revocations, schemes/<ID>, services`},
		{"a label without a level", swap(catalogue, "level: HIGH, ", ""),
			`tenants/acme/catalogue/data.yaml:5: rows.acme-plans/.labels.0: member "level" is missing; add it`},
		{"no labels", swap(catalogue, "labels: [{scheme: USA, level: HIGH, categories: {sci: [SI]}, nation: [NOFORN], created: \"2024-01-01\"}]", "labels: []"),
			"tenants/acme/catalogue/data.yaml:12: rows.acme-plans/inner/.labels: minItems: got 0, want 1; correct it"},
		{"null for a list", swap(personnel, "citizenships: [USA]", "citizenships: null"),
			"tenants/acme/personnel/data.yaml:1: citizenships: have null; want array"},
		{"a repeated value", swap(personnel, "citizenships: [USA]", "citizenships: [USA, USA]"),
			"tenants/acme/personnel/data.yaml:1: citizenships: items at 0 and 1 are equal; correct it"},
		{"two errors", func(t testing.TB, f map[string]string) {
			swap(manifest, "serial: 7", "serial: 0")(t, f)
			swap(catalogue, "hold: false", "hld: false")(t, f)
		},
			"tenants/acme/catalogue/data.yaml:8: rows.acme-plans/: unknown member \"hld\"; did you mean \"hold\"?\ntenants/acme/manifest.yaml:3: serial: minimum: got 0, want 1; correct it"},
	})
}

func TestLoadRefusesManifests(t *testing.T) {
	t.Parallel()
	refuse(t, []refusal{
		{"the root has none", drop("root/manifest.yaml"),
			"root/manifest.yaml: is missing; write name, revision, serial, not_before and expires"},
		{"a tenant has none", drop(manifest),
			"tenants/acme/manifest.yaml: is missing; write name, revision, serial, not_before and expires"},
		{"another part's", swap(manifest, "name: acme", "name: acme-lab"),
			`tenants/acme/manifest.yaml:1: name: "acme-lab" is the manifest of another part; write "acme"`},
		{"it ends before it begins", swap(manifest, "2026-01-01", "2029-01-01"),
			"tenants/acme/manifest.yaml:5: expires: 2029-01-01T00:00:00.000000000Z is not after not_before, 2029-01-01T00:00:00.000000000Z; correct one"},
		{"a revision with spaces", swap(manifest, "revision: a1", "revision: a 1"),
			`tenants/acme/manifest.yaml:2: revision: "a 1"; want a short name of this edition, such as 2026-11-24.1`},
	})
}

func TestLoadRefusesAPartThatSpeaksOfWhatIsNotItsOwn(t *testing.T) {
	t.Parallel()
	refuse(t, []refusal{
		{"a row in another tenant's bucket", swap(catalogue, "acme-plans/inner/", "acme-lab-data/"),
			`tenants/acme/catalogue/data.yaml:9: rows.acme-lab-data/: row "acme-lab-data/" is "acme-lab"'s; "acme" may speak only of its own (acme, acme-…)`},
		{"a row in another tenant's bucket of the same name", swap(catalogue, "acme-plans/inner/", "acme-lab/"),
			`tenants/acme/catalogue/data.yaml:9: rows.acme-lab/: row "acme-lab/" is "acme-lab"'s; "acme" may speak only of its own (acme, acme-…)`},
		{"a row in nobody's bucket", swap(catalogue, "acme-plans/inner/", "acmeplans/"),
			`tenants/acme/catalogue/data.yaml:9: rows.acmeplans/: row "acmeplans/" is no tenant's; "acme" may speak only of its own (acme, acme-…)`},
		{"another tenant's queue", func(t testing.TB, f map[string]string) {
			swap(catalogue, "acme-plans/inner/", "job:acme-lab")(t, f)
			f[catalogue] = f[catalogue][:len(f[catalogue])-1]
			swap(catalogue, "  job:acme-lab:\n    service: s3", "  job:acme-lab:\n    service: jobs")(t, f)
		},
			`tenants/acme/catalogue/data.yaml:9: rows.job:acme-lab: row "job:acme-lab" is "acme-lab"'s; "acme" may speak only of its own (acme, acme-…)`},
		{"a partner on another tenant's row", swap(partners, "rows: [acme-plans/]", "rows: [acme-lab/]"),
			`tenants/acme/partners/data.yaml:2: partners.0.rows.0: row "acme-lab/" is "acme-lab"'s; "acme" may speak only of its own (acme, acme-…)`},
		{"an approval of another tenant's row", swap(personnel, "row: acme-plans/", "row: acme-lab/"),
			`tenants/acme/personnel/data.yaml:6: approvals.0.row: row "acme-lab/" is "acme-lab"'s; "acme" may speak only of its own (acme, acme-…)`},
		{"an issuer for another tenant", swap(issuers, "tenants: [acme]", "tenants: [acme-lab]"),
			`tenants/acme/issuers/data.yaml:9: usa.grant.tenants.0: "acme-lab" is another tenant; only its own part may say who speaks for it`},
		{"an issuer of the provider's people", swap(issuers, "kind: partner", "kind: provider"),
			"tenants/acme/issuers/data.yaml:23: gbr.grant.affiliations.0.kind: only the root says who speaks for the provider; leave it out"},
		{"the root speaks for a tenant", swap("root/issuers/data.yaml", "tenants: []", "tenants: [acme]"),
			`root/issuers/data.yaml:9: provider.grant.tenants.0: the root speaks for no tenant; move the issuer into the part of "acme"`},
		{"the root speaks of a tenant's people", swap("root/issuers/data.yaml", "kind: provider", "kind: tenant"),
			"root/issuers/data.yaml:11: provider.grant.affiliations.0.kind: the root speaks of the provider's people only; move it into the tenant's part"},
		{"an issuer beyond its nations", swap(issuers, "{scheme: GBR, level: UPPER}", "{scheme: USA, level: LOW}"),
			"tenants/acme/issuers/data.yaml:24: gbr.grant.clearances.0: USA is a scheme of USA, for which the issuer does not speak; add it to nations, or relay it"},
		{"an equivalence of another nation's labels", swap(agreements, "label: [USA, LOW], clearance: [GBR, UPPER]", "label: [GBR, LOWER], clearance: [USA, LOW]"),
			"tenants/acme/agreements/data.yaml:4: equivalences.0.label: GBR is a scheme of GBR; only its own nation says who may read its labels"},
		{"an agreement of others", swap(agreements, "parties: [USA, GBR]", "parties: [FRA, GBR]"),
			"tenants/acme/agreements/data.yaml:2: agreements.usa-gbr.parties: USA is no party; a part may hold only agreements of its own nation"},
		{"a consent on another tenant's row", swap(agreements, "equivalences:", "consents: [{originator: acme, recipient: uk, rows: [acme-lab/], until: \"2027-01-01\"}]\nequivalences:"),
			`tenants/acme/agreements/data.yaml:3: consents.0.rows.0: row "acme-lab/" is "acme-lab"'s; "acme" may speak only of its own (acme, acme-…)`},
		{"a native clearance that opens another nation's scheme", swap(usa, "CHECK: {opens: {USA: [LOW]}}", "CHECK: {opens: {GBR: [LOWER]}}"),
			"root/schemes/USA/data.yaml:13: native_clearances.CHECK.opens.GBR: GBR is a scheme of GBR, not of USA; a clearance opens its own nation's schemes only"},
		{"an overlay in another package", swap(overlay, "package overlay.acme", "package overlay[\"acme-lab\"]"),
			`tenants/acme/overlay/acme.rego:1: package overlay["acme-lab"]: this part may write only package overlay["acme"]; use that`},
		{"an overlay in the core's package", swap(overlay, "package overlay.acme", "package compliance"),
			`tenants/acme/overlay/acme.rego:1: package compliance: this part may write only package overlay["acme"]; use that`},
		{"an overlay that decides", swap(overlay, "object contains", "satisfied contains"),
			`tenants/acme/overlay/acme.rego:3: rule satisfied: an overlay can only object; write object contains "…" if { … }`},
		{"an overlay that objects with a value", swap(overlay, "object contains \"not on this address\"", "object := {\"x\"}"),
			`tenants/acme/overlay/acme.rego:3: rule object: an overlay can only object; write object contains "…" if { … }`},
		{"an overlay with a helper", put(overlay, "package overlay.acme\n\nhelper if true\n\nobject contains \"x\" if helper\n"),
			`tenants/acme/overlay/acme.rego:3: rule helper: an overlay can only object; write object contains "…" if { … }`},
		{"an overlay with a default", put(overlay, "package overlay.acme\n\ndefault object := set()\n"),
			`tenants/acme/overlay/acme.rego:3: rule object: an overlay can only object; write object contains "…" if { … }`},
		{"an overlay that replaces what it reads", put(overlay, "package overlay.acme\n\nobject contains \"x\" if input.action with input.action as {}\n"),
			"tenants/acme/overlay/acme.rego:3: with input.action: an overlay can't replace what it reads; leave it out"},
		{"an overlay's test in another package", put("tenants/acme/overlay/acme_test.rego", "package compliance\n\nallow := true\n"),
			`tenants/acme/overlay/acme_test.rego:1: package compliance: this part may write only package overlay["acme_test"]; use that`},
		{"a tenant's Rego outside overlay", put("tenants/acme/rules/acme.rego", "package overlay.acme\n"),
			"tenants/acme/rules/acme.rego: a tenant's Rego stands in overlay/; move it there"},
		{"the root writes an overlay", put("root/overlay/acme.rego", "package overlay.acme\n"),
			"root/overlay/acme.rego:1: package overlay.acme: data.overlay is not for the root's modules; use another package"},
		{"the root writes where documents are", put("root/x.rego", "package tenants.acme\n"),
			"root/x.rego:1: package tenants.acme: data.tenants is not for the root's modules; use another package"},
	})
}

func TestLoadRefusesReferencesToNothing(t *testing.T) {
	t.Parallel()
	refuse(t, []refusal{
		{"a label's scheme", swap(catalogue, "scheme: USA, level: HIGH, categories: {sci: [SI]}, nation", "scheme: UKR, level: HIGH, categories: {sci: [SI]}, nation"),
			`tenants/acme/catalogue/data.yaml:12: rows.acme-plans/inner/.labels.0: unknown scheme "UKR"; did you mean "GBR"?`},
		{"a label's level", swap(catalogue, "level: HIGH", "level: HIHG"),
			`tenants/acme/catalogue/data.yaml:5: rows.acme-plans/.labels.0: unknown level of USA "HIHG"; did you mean "HIGH"?`},
		{"a label's tag set", swap(catalogue, "{sci: [SI]}", "{sic: [SI]}"),
			`tenants/acme/catalogue/data.yaml:5: rows.acme-plans/.labels.0.categories.sic: unknown restrictive or permissive tag set of USA "sic"; did you mean "sci"?`},
		{"a label's tag set that grants nothing", swap(catalogue, "{sci: [SI]}", "{note: [DRAFT]}"),
			`tenants/acme/catalogue/data.yaml:5: rows.acme-plans/.labels.0.categories.note: unknown restrictive or permissive tag set of USA "note"; known are project, sci`},
		{"a label's category", swap(catalogue, "{sci: [SI]}", "{sci: [SJ]}"),
			`tenants/acme/catalogue/data.yaml:5: rows.acme-plans/.labels.0.categories.sci: unknown value of USA's sci "SJ"; did you mean "SI"?`},
		{"a label's nation tag", swap(catalogue, "nation: [NOFORN]", "nation: [NOFRN]"),
			`tenants/acme/catalogue/data.yaml:12: rows.acme-plans/inner/.labels.0.nation: unknown nation value of USA "NOFRN"; did you mean "NOFORN"?`},
		{"a release list without the owner", swap(catalogue, "release: [USA, GBR]", "release: [GBR]"),
			"tenants/acme/catalogue/data.yaml:5: rows.acme-plans/.labels.0.release: lacks the owner, USA; add it"},
		{"a row's enclave", swap(catalogue, "enclave: one", "enclave: two"),
			`tenants/acme/catalogue/data.yaml:7: rows.acme-plans/.place.enclave: unknown enclave "two"; known are one`},
		{"a row's backup", swap(catalogue, "backups: [one]", "backups: [oen]"),
			`tenants/acme/catalogue/data.yaml:7: rows.acme-plans/.place.backups.0: unknown enclave "oen"; did you mean "one"?`},
		{"a row that is no folder", swap(catalogue, "acme-plans/inner/", "acme-plans/inner"),
			`tenants/acme/catalogue/data.yaml:9: rows.acme-plans/inner: "acme-plans/inner" is no row; write bucket/, bucket/prefix/ or job:queue`},
		{"a row with a dot segment", swap(catalogue, "acme-plans/inner/", "acme-plans/../"),
			`tenants/acme/catalogue/data.yaml:9: rows.acme-plans/../: "acme-plans/../" is no row; write bucket/, bucket/prefix/ or job:queue`},
		{"a bucket of the job service", swap(catalogue, "service: s3", "service: jobs"),
			"tenants/acme/catalogue/data.yaml:3: rows.acme-plans/.service: a row job:queue is of service jobs, and only such; correct one"},
		{"a partner's issuer", swap(partners, "issuers: [gbr]", "issuers: [gbt]"),
			`tenants/acme/partners/data.yaml:2: partners.0.issuers.0: unknown issuer "gbt"; did you mean "gbr"?`},
		{"a partner's row", swap(partners, "rows: [acme-plans/]", "rows: [acme-pans/]"),
			`tenants/acme/partners/data.yaml:2: partners.0.rows.0: unknown row "acme-pans/"; did you mean "acme-plans/"?`},
		{"a partner's time that ends first", swap(partners, "2027-01-01", "2025-01-01"),
			"tenants/acme/partners/data.yaml:2: partners.0.not_after: ends 2025-01-01T00:00:00.000000000Z, before or when it begins, 2026-01-01T00:00:00.000000000Z; correct one"},
		{"an equivalence's agreement", swap(agreements, "agreement: usa-gbr", "agreement: usa-gbt"),
			`tenants/acme/agreements/data.yaml:4: equivalences.0.agreement: unknown agreement "usa-gbt"; did you mean "usa-gbr"?`},
		{"an equivalence's level", swap(agreements, "label: [USA, LOW]", "label: [USA, LWO]"),
			`tenants/acme/agreements/data.yaml:4: equivalences.0.label: unknown level of USA "LWO"; did you mean "LOW"?`},
		{"an approval's row", swap(personnel, "row: acme-plans/", "row: acme-plans/outer/"),
			`tenants/acme/personnel/data.yaml:6: approvals.0.row: unknown row "acme-plans/outer/"; did you mean "acme-plans/inner/"?`},
		{"an approval's enclave", swap(personnel, "enclave: one", "enclave: on"),
			`tenants/acme/personnel/data.yaml:6: approvals.0.enclave: unknown enclave "on"; did you mean "one"?`},
		{"an approval's issuer", swap(personnel, "provider|olga", "provder|olga"),
			`tenants/acme/personnel/data.yaml:6: approvals.0.operator: unknown issuer "provder"; did you mean "provider"?`},
		{"an approval by the operator", swap(personnel, "usa|bob", "provider|olga"),
			`tenants/acme/personnel/data.yaml:6: approvals.0.approvers.1: the operator "provider|olga" can't approve for himself; name another`},
		{"a level of tokens that are bound", swap("tenants/acme/tenant/data.yaml", "title: Acme", "title: Acme\nbinding: {USA: [HIHG]}"),
			`tenants/acme/tenant/data.yaml:2: binding.USA: unknown level of USA "HIHG"; did you mean "HIGH"?`},
		{"a level of masked fields", swap("tenants/acme/tenant/data.yaml", "title: Acme", "title: Acme\naudit: {mask: [{fields: [/subject/id], levels: {USA: [HIHG]}}]}"),
			`tenants/acme/tenant/data.yaml:2: audit.mask.0.levels.USA: unknown level of USA "HIHG"; did you mean "HIGH"?`},
		{"a masked field", swap("tenants/acme/tenant/data.yaml", "title: Acme", "title: Acme\naudit: {mask: [{fields: [/subject/properties/clearances/0/categories/any, /subject/properties/via/0/idd]}]}"),
			`tenants/acme/tenant/data.yaml:2: audit.mask.0.fields.1: "/subject/properties/via/0/idd": the policy input has no "idd" there; did you mean "id"?`},
		{"a level of records that need not wait", swap("tenants/acme/tenant/data.yaml", "title: Acme", "title: Acme\naudit: {buffered: {USB: [HIGH]}}"),
			`tenants/acme/tenant/data.yaml:2: audit.buffered.USB: unknown scheme "USB"; did you mean "USA"?`},
		{"a package's scheme", swap("tenants/acme/tenant/data.yaml", "USA: [LOW, HIGH]", "USB: [LOW, HIGH]"),
			`tenants/acme/tenant/data.yaml:6: services.s3.USB: unknown scheme "USB"; did you mean "USA"?`},
		{"a ceiling's level", swap("root/enclaves/data.yaml", "level: HIGH", "level: HIHG"),
			`root/enclaves/data.yaml:5: one.ceiling.0: unknown level of USA "HIHG"; did you mean "HIGH"?`},
		{"a ceiling's tag", swap("root/enclaves/data.yaml", "NOFORN", "NOFRN"),
			`root/enclaves/data.yaml:5: one.ceiling.0.tags: unknown restrictive, nation or handling value of USA "NOFRN"; did you mean "NOFORN"?`},
		{"a native clearance's level", swap(usa, "{USA: [LOW]}", "{USA: [LWO]}"),
			`root/schemes/USA/data.yaml:13: native_clearances.CHECK.opens.USA: unknown level of USA "LWO"; did you mean "LOW"?`},
		{"a scheme's rule", swap(usa, "tag_sets: [sci]", "tag_sets: [sic]"),
			`root/schemes/USA/data.yaml:16: rules.excluded.0: unknown tag set "sic"; did you mean "sci"?`},
		{"a relay's issuer", swap("root/issuers/data.yaml", "relay: {USA: usa}", "relay: {USA: uas}"),
			`root/issuers/data.yaml:13: provider.grant.relay.USA: unknown issuer "uas"; did you mean "usa"?`},
		{"a reason's prerequisite", swap(reasons, "requires: [label.missing]", "requires: [label.mising]"),
			`root/reasons/data.yaml:2: clearance.level.requires: unknown reason "label.mising"; did you mean "label.missing"?`},
		{"a tenant that is not described", drop("tenants/acme-lab/tenant/data.yaml"),
			"tenants/acme-lab/tenant/data.yaml: is missing; write title, nation, sessions, members, roles and services"},
	})
}

func TestLoadRefusesWhatContradictsItself(t *testing.T) {
	t.Parallel()
	refuse(t, []refusal{
		{"reasons in a circle", swap(reasons, "requires: []", "requires: [clearance.level]"),
			"root/reasons/data.yaml:2: clearance.level.requires: a cycle, clearance.level → label.missing → clearance.level; break it"},
		{"two levels of one hierarchy", swap(usa, "hierarchy: 2", "hierarchy: 1"),
			`root/schemes/USA/data.yaml:5: levels: "HIGH" has the hierarchy of "LOW", 1; give each its own`},
		{"a level twice", swap(usa, "hierarchy: 2}", "hierarchy: 2}\n  - {id: HIGH, hierarchy: 3}"),
			`root/schemes/USA/data.yaml:6: levels: "HIGH" stands here twice; keep one`},
		{"an inner row of a lower level", swap(catalogue, "level: HIGH, categories: {sci: [SI]}, nation", "level: LOW, categories: {sci: [SI]}, nation"),
			`tenants/acme/catalogue/data.yaml:9: rows.acme-plans/inner/: its labels are looser than those of "acme-plans/" around it; tighten them, or write looser: true`},
		{"an inner row without the category", swap(catalogue, "categories: {sci: [SI]}, nation", "nation"),
			`tenants/acme/catalogue/data.yaml:9: rows.acme-plans/inner/: its labels are looser than those of "acme-plans/" around it; tighten them, or write looser: true`},
		{"an inner row with a wider release", swap(catalogue, "nation: [NOFORN]", "release: [USA, GBR, FRA]"),
			`tenants/acme/catalogue/data.yaml:9: rows.acme-plans/inner/: its labels are looser than those of "acme-plans/" around it; tighten them, or write looser: true`},
		{"an inner row of another scheme", swap(catalogue, "{scheme: USA, level: HIGH, categories: {sci: [SI]}, nation: [NOFORN]", "{scheme: GBR, level: UPPER"),
			`tenants/acme/catalogue/data.yaml:9: rows.acme-plans/inner/: its labels are looser than those of "acme-plans/" around it; tighten them, or write looser: true`},
		{"an equivalence of a high label alone", swap(agreements, "label: [USA, LOW]", "label: [USA, HIGH]"),
			"tenants/acme/agreements/data.yaml:4: equivalences.0: USA HIGH is open to GBR UPPER, but the lower LOW is not, or not as long, or with fewer categories; add a row for it\ntenants/acme/agreements/data.yaml:5: equivalences.1: USA HIGH is open to GBR UPPER, but the lower LOW is not, or not as long, or with fewer categories; add a row for it"},
		{"a lower label that wants a higher clearance", swap(agreements, "label: [USA, HIGH], clearance: [GBR, UPPER]", "label: [USA, HIGH], clearance: [GBR, LOWER]"),
			"tenants/acme/agreements/data.yaml:5: equivalences.1: USA HIGH is open to GBR LOWER, but the lower LOW is not, or not as long, or with fewer categories; add a row for it"},
		{"a lower label with fewer categories", swap(agreements, "label: [USA, HIGH],", "categories: {sci: [SI]}, label: [USA, HIGH],"),
			"tenants/acme/agreements/data.yaml:5: equivalences.1: USA HIGH is open to GBR UPPER, but the lower LOW is not, or not as long, or with fewer categories; add a row for it"},
		{"a lower label that ends earlier", swap(agreements, "labels_to: null", "labels_to: \"2025-01-01\""),
			"tenants/acme/agreements/data.yaml:5: equivalences.1: USA HIGH is open to GBR UPPER, but the lower LOW is not, or not as long, or with fewer categories; add a row for it"},
		{"one issuer in two meanings", put("tenants/acme-lab/issuers/data.yaml", strings.Replace(files(world)[issuers][strings.Index(files(world)[issuers], "gbr:"):], "[ES256]", "[ES384]", 1)),
			"tenants/acme-lab/issuers/data.yaml:1: gbr: differs from the entry in tenants/acme/issuers/data.yaml; make them the same"},
		{"one URL of two issuers", swap(issuers, "issuer: https://issuers.example/gbr", "issuer: https://issuers.example/usa"),
			`tenants/acme/issuers/data.yaml:2: usa.issuer: "https://issuers.example/usa" is issuer "gbr" in tenants/acme/issuers/data.yaml; one URL, one issuer`},
		{"two approvals of one id", swap(personnel, "  - {id: a1", "  - {id: a1, operator: \"provider|olga\", row: acme-plans/, actions: [], enclave: one, justification: SUPPORT, approvers: [], not_before: \"2026-01-01\", not_after: \"2026-01-02\"}\n  - {id: a1"),
			`tenants/acme/personnel/data.yaml:7: approvals.1.id: "a1" stands here twice; give each its own`},
		{"two equivalences of one id", swap(agreements, "id: high", "id: low"),
			`tenants/acme/agreements/data.yaml:5: equivalences.1.id: "low" stands here twice; give each its own`},
	})
}

func TestAnInnerRowMaySayThatItIsLooser(t *testing.T) {
	t.Parallel()
	_, err := policy.Load(folder(t, swap(catalogue, "categories: {sci: [SI]}, nation: [NOFORN], created: \"2024-01-01\"}]", "created: \"2024-01-01\"}]\n    looser: true")))
	if err != nil {
		t.Error(err)
	}
}

func TestLoadRefusesRegoThatDoesNotParse(t *testing.T) {
	t.Parallel()
	refuse(t, []refusal{
		{"no module", put(rules, "\n"),
			"root/compliance/compliance.rego: empty module; correct it"},
		{"a rule without an end", put(rules, "package compliance\n\nallow if {\n"),
			"root/compliance/compliance.rego:4: unexpected eof token; correct it"},
		{"the old language", put(rules, "package compliance\n\nallow { true }\n"),
			"root/compliance/compliance.rego:3: `if` keyword is required before rule body; correct it"},
	})
}
