package policy_test

import (
	"strings"
	"testing"
)

// lowering adds an authority and a downgrade to acme's agreements, with one text of them another.
func lowering(old, text string) change {
	const facts = `
authorities:
  declass: {nation: USA, holders: ["usa|ann", "usa|bob"], not_before: "2026-01-01", not_after: "2027-01-01"}
downgrades:
  - {id: d1, authority: declass, row: acme-plans/, from: [` + digest + `], to: [` + digest + `], approvers: ["usa|ann", "usa|bob"], not_before: "2026-01-01", not_after: "2026-02-01"}
`
	return func(t testing.TB, f map[string]string) {
		if !strings.Contains(facts, old) {
			t.Fatalf("no %q in the downgrade", old)
		}
		f[agreements] = strings.TrimRight(f[agreements], "\n") + strings.Replace(facts, old, text, 1)
	}
}

const digest = `e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855`

func TestLoadRefusesDowngradesThatNobodyMayApprove(t *testing.T) {
	t.Parallel()
	const at = "tenants/acme/agreements/data.yaml:"
	refuse(t, []refusal{
		{"one that holds", lowering("", ""), ""},
		{"an authority of another nation", lowering("nation: USA", "nation: GBR"),
			at + "7: authorities.declass.nation: GBR is not the tenant's nation; only the owner's, USA, may have its labels lowered here"},
		{"a holder of an issuer that is none", lowering(`["usa|ann", "usa|bob"], not_before`, `["use|ann", "usa|bob"], not_before`),
			at + `7: authorities.declass.holders.0: unknown issuer "use"; did you mean "usa"?` + "\n" +
				at + `9: downgrades.0.approvers.0: "usa|ann" does not hold declass; name one of its holders`},
		{"an approver who holds no authority", lowering(`approvers: ["usa|ann"`, `approvers: ["usa|cat"`),
			at + `9: downgrades.0.approvers.0: "usa|cat" does not hold declass; name one of its holders`},
		{"one approver", lowering(`approvers: ["usa|ann", "usa|bob"]`, `approvers: ["usa|ann"]`),
			at + "9: downgrades.0.approvers: minItems: got 1, want 2; correct it"},
		{"an authority that is none", lowering("authority: declass", "authority: declas"),
			at + `9: downgrades.0.authority: unknown authority "declas"; did you mean "declass"?`},
		{"another tenant's row", lowering("row: acme-plans/", "row: acme-lab/"),
			at + `9: downgrades.0.row: row "acme-lab/" is "acme-lab"'s; "acme" may speak only of its own (acme, acme-…)`},
		{"a row that is none", lowering("row: acme-plans/", "row: acme-plan/"),
			at + `9: downgrades.0.row: unknown row "acme-plan/"; did you mean "acme-plans/"?`},
		{"a digest that is none", lowering(digest, "e3b0"),
			at + `9: downgrades.0.from.0: "e3b0"; want the SHA-256 of a label, in hex`},
		{"it ends before it begins", lowering(`not_after: "2026-02-01"`, `not_after: "2026-01-01"`),
			at + "9: downgrades.0.not_after: ends 2026-01-01T00:00:00.000000000Z, before or when it begins, 2026-01-01T00:00:00.000000000Z; correct one"},
	})
}
