package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/policy"
)

// objects writes acme's overlay: one objection on a condition, after the package and what stands before it.
func objects(when string) change {
	return put(overlay, "package overlay.acme\n\nobject contains \"no\" if {\n\t"+when+"\n}\n")
}

// owned is an access to a resource of tenant.
func owned(tenant string) authz.Access {
	a := access("s3://" + tenant + "-plans/x")
	a.Resource.Properties.Tenant = &tenant
	return a
}

var objected = authz.Decision{Unproven: []authz.Reason{authz.OverlayObjected}, Reasons: []authz.Reason{authz.OverlayObjected}, Obligations: []authz.Obligation{}}

var unowned = func() authz.Access { a := owned(""); a.Resource.Properties.Tenant = nil; return a }()

func TestAnOverlayObjectsToItsOwnersAccessesOnly(t *testing.T) {
	t.Parallel()
	const lab = "tenants/acme-lab/overlay/lab.rego"
	also := func(reason string) authz.Decision {
		return authz.Decision{Unproven: []authz.Reason{authz.Reason(reason), authz.OverlayObjected}, Reasons: []authz.Reason{authz.Reason(reason), authz.OverlayObjected}, Obligations: []authz.Obligation{}}
	}
	rows := []struct {
		name, core string
		overlay    change
		access     authz.Access
		want       authz.Decision
	}{
		{"what it objects to is denied", allowed, objects("true"), owned("acme"), objected},
		{"what it does not object to is allowed", allowed, objects(`input.action.name == "delete"`), owned("acme"), permitted},
		{"another tenant's resource", allowed, objects("true"), owned("acme-lab"), permitted},
		{"a resource of nobody", allowed, objects("true"), unowned, permitted},
		{"no overlay at all", allowed, drop(overlay), owned("acme"), permitted},
		{"an overlay without rules", allowed, put(overlay, "package overlay.acme\n"), owned("acme"), permitted},
		{"it adds to a denial and hides nothing of it",
			`{"allow": false, "unproven": {"label.missing"}, "reasons": {"label.missing"}, "obligations": set()}`, objects("true"), owned("acme"), also("label.missing")},
		{"it can't make an allow of a denial",
			`{"allow": false, "unproven": {"label.missing"}, "reasons": {"label.missing"}, "obligations": set()}`, objects("false"), owned("acme"), denied("label.missing")},
		{"it reads the resource's id", allowed, objects(`input.resource.id == "s3://acme-plans/x"`), owned("acme"), objected},
		{"it reads its own facts", allowed, objects(`data.tenants.acme.tenant.nation == "USA"`), owned("acme"), objected},
		{"it imports its own facts", allowed, put(overlay, "package overlay.acme\n\nimport data.tenants.acme.tenant as us\n\nobject contains \"no\" if us.nation == \"USA\"\n"), owned("acme"), objected},
		{"it reads schemes and enclaves", allowed, objects(`data.schemes.USA.nation == data.enclaves.one.country`), owned("acme"), objected},
		{"it writes what it read into its text", allowed,
			put(overlay, "package overlay.acme\n\nobject contains sprintf(\"not %s\", [input.subject.id])\n"), owned("acme"), objected},
		{"it objects with something else than a text", allowed, put(overlay, "package overlay.acme\n\nobject contains {\"allow\": true}\n"), owned("acme"), objected},
		{"it objects with an empty text", allowed, put(overlay, "package overlay.acme\n\nobject contains \"\"\n"), owned("acme"), objected},
		{"a builtin that fails", allowed, objects(`to_number(input.subject.id) > 1`), owned("acme"), objected},
		{"a builtin that panics", allowed, objects(`semver.is_valid("panic")`), owned("acme"), objected},
		{"a name that the core has too", allowed, put(lab, "package overlay[\"acme-lab\"]\n\nobject contains \"allow\"\n"), owned("acme"), permitted},
		{"the tenant whose id begins alike", allowed, put(lab, "package overlay[\"acme-lab\"]\n\nobject contains \"no\"\n"), owned("acme-lab"), objected},
	}
	for i := range len(rows) + 7 { // the first rows with topdown too
		r, name := rows[i%len(rows)], []string{policy.Wasm, policy.Topdown}[i/len(rows)]
		t.Run(r.name+"/"+name, func(t *testing.T) {
			t.Parallel()
			e := engine(t, policy.Config{Engine: name, Workers: 1, Timeout: 10 * time.Second, Shadow: -1}, core("decision := "+r.core), r.overlay)
			for range 2 {
				got, err := e.Decide(t.Context(), ann, now, []authz.Access{r.access})
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(r.want, got[0].Decision); d != "" {
					t.Errorf("decision (-want +got):\n%s", d)
				}
			}
		})
	}
}

// TestAnOverlayIsRefused has what an overlay may not be.
func TestAnOverlayIsRefused(t *testing.T) {
	t.Parallel()
	const reads = `: an overlay may read input, data.schemes, data.enclaves and data.tenants["acme"]; leave it out`
	rows := []struct{ name, rego, want string }{
		{"reads another tenant", `object contains "x" if data.tenants["acme-lab"].tenant`, `:3: data.tenants["acme-lab"].tenant` + reads},
		{"reads all tenants", `object contains "x" if count(data.tenants) > 1`, `:3: data.tenants` + reads},
		{"picks a tenant", `object contains "x" if data.tenants[input.subject.properties.tenant].tenant`, `:3: data.tenants[input.subject.properties.tenant].tenant` + reads},
		{"walks over tenants", `object contains id if some id, _ in data.tenants`, `:3: data.tenants` + reads},
		{"reads all data", `object contains "x" if count(data) > 1`, `:3: data` + reads},
		{"picks a document", `object contains "x" if data[input.action.name]`, `:3: data[input.action.name]` + reads},
		{"reads another overlay", `object contains "x" if data.overlay["acme-lab"].object`, `:3: data.overlay["acme-lab"].object` + reads},
		{"reads itself by its path", `object contains "x" if data.overlay.acme.object`, `:3: data.overlay.acme.object` + reads},
		{"asks the core", `object contains "x" if data.compliance.decision.allow`, `:3: data.compliance.decision.allow` + reads},
		{"imports the core", "import data.compliance\n\nobject contains \"x\" if compliance.decision.allow", `:3: data.compliance` + reads},
		{"imports another tenant by another name", "import data.tenants[\"acme-lab\"] as acme\n\nobject contains \"x\" if acme.tenant", `:3: data.tenants["acme-lab"]` + reads},
		{"reads another tenant within what picks its own", `object contains "x" if data.tenants.acme.catalogue.rows[data.tenants["acme-lab"].tenant.title]`, `:3: data.tenants["acme-lab"].tenant.title` + reads},
		{"reads issuers of the root", `object contains "x" if data.issuers`, `:3: data.issuers` + reads},
		{"calls a function of the core", `object contains "x" if data.compliance.f(1)`, `:3: data.compliance.f` + reads},
		{"allows", `allow := true`, `:3: rule allow: an overlay can only object; write object contains "…" if { … }`},
		{"adds to the core's proofs", `satisfied contains "clearance.level"`, `:3: rule satisfied: an overlay can only object; write object contains "…" if { … }`},
		{"names a rule below another path", `object.allow := true`, `:3: rule object.allow: an overlay can only object; write object contains "…" if { … }`},
		{"names a builtin anew", `count(_) := 0`, `:3: rule count: an overlay can only object; write object contains "…" if { … }`},
		{"walks", `object contains x if walk(input, x)`, `:3: the builtin walk is not allowed in policies; decide from input and data alone (authz/policy/builtins.txt says why)`},
		{"makes much text of little", `object contains replace(input.subject.id, "a", input.resource.id)`, `:3: the builtin replace is not allowed in policies; decide from input and data alone (authz/policy/builtins.txt says why)`},
		{"pads text", `object contains sprintf("%1000000d", [1])`, `:3: sprintf: an overlay's format is a literal text without widths and indexes; use %s, %d or %v`},
		{"pads text with zeros", `object contains sprintf("%% %0900000d", [1])`, `:3: sprintf: an overlay's format is a literal text without widths and indexes; use %s, %d or %v`},
		{"repeats an argument", `object contains sprintf("%[1]s%[1]s", [input.subject.id])`, `:3: sprintf: an overlay's format is a literal text without widths and indexes; use %s, %d or %v`},
		{"takes its format from the input", `object contains sprintf(input.subject.id, [1])`, `:3: sprintf: an overlay's format is a literal text without widths and indexes; use %s, %d or %v`},
		{"is very long", "# " + strings.Repeat("x", 64<<10), ": more than 64 KiB of overlays; an overlay only objects, the rest is for the root"},
		{"recurses", "object contains \"x\" if count(object) > 0", ":3: rule data.overlay.acme.object is recursive: data.overlay.acme.object -> data.overlay.acme.object; correct it"},
	}
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t, put(overlay, "package overlay.acme\n\n"+r.rego+"\n"))
			err := policy.Check(dir)
			if !slices.Contains(strings.Split(text(err, dir), "\n"), overlay+r.want) {
				t.Errorf("have\n%s\nwant\n%s", text(err, dir), overlay+r.want)
			}
			if code := policy.ExitCode(err); code != 3 {
				t.Errorf("exit code %d, want 3", code)
			}
		})
	}
	dir := folder(t, core("decision := data.overlay.acme.object"))
	if err, want := policy.Check(dir), rules+":3: data.overlay.acme.object: the gateway asks the owner's overlay by itself, after the root's decision; leave it out"; text(err, dir) != want {
		t.Errorf("have\n%s\nwant\n%s", text(err, dir), want)
	}
}

// TestARunawayOverlayDeniesItsOwnersAccessesOnly measures the others while acme's overlay takes all that it can get.
func TestARunawayOverlayDeniesItsOwnersAccessesOnly(t *testing.T) {
	t.Parallel()
	ten := "xs := {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}\n\t"
	loops := func(n int) string {
		s := ten
		for i := range n {
			s += fmt.Sprintf("some x%d in xs\n\t", i)
		}
		return s
	}
	rows := []struct {
		name, when string
		want       authz.Reason
	}{
		{"loops that add", loops(12) + "x0 + x1 + x2 > 1000", authz.OverlayObjected},
		{"loops that take no memory", loops(12) + "x0 == x11\n\tx1 != x1", "system.timeout"},
		{"a huge comprehension", loops(0) + "count([[a, b, c, d, e, f, g] | some a in xs; some b in xs; some c in xs; some d in xs; some e in xs; some f in xs; some g in xs]) > 1", authz.OverlayObjected},
		{"text that doubles", `a := concat("", [input.action.name, input.action.name])` + doubling("concat(\"\", [%s, %[1]s])") + "\n\tcount(z39) > 1", authz.OverlayObjected},
		{"lists that double", `a := array.concat([1, 2], [3, 4])` + doubling("array.concat(%s, %[1]s)") + "\n\tcount(z39) > 1", authz.OverlayObjected},
	}
	for i := range len(rows) + 2 { // the first rows with topdown too
		r, name := rows[i%len(rows)], []string{policy.Wasm, policy.Topdown}[i/len(rows)]
		t.Run(r.name+"/"+name, func(t *testing.T) {
			e := engine(t, policy.Config{Engine: name, Workers: 2, Timeout: time.Second, Shadow: -1}, core("decision := "+allowed), objects(r.when))
			stop, stopped := make(chan struct{}), make(chan struct{})
			denials := map[authz.Reason]int{}
			go func() {
				defer close(stopped)
				for {
					select {
					case <-stop:
						return
					default:
					}
					got, err := e.Decide(t.Context(), ann, now, []authz.Access{owned("acme")})
					if err != nil || got[0].Decision.Allow {
						t.Errorf("an access that the overlay never finished looking at: %v %v", got, err)
						return
					}
					denials[got[0].Decision.Reasons[0]]++
				}
			}()
			var slowest time.Duration
			n := 0
			for end := time.Now().Add(400 * time.Millisecond); time.Now().Before(end); n++ {
				begin := time.Now()
				got, err := e.Decide(t.Context(), ann, now, []authz.Access{owned("acme-lab")})
				slowest = max(slowest, time.Since(begin))
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(permitted, got[0].Decision); d != "" {
					t.Fatalf("another tenant's decision (-want +got):\n%s", d)
				}
			}
			close(stop)
			<-stopped
			t.Logf("%d decisions of another tenant, the slowest in %v; of the owner %v", n, slowest, denials)
			if r.want == authz.OverlayObjected { // where the machine is slow, time may be over before memory is
				denials[r.want] += denials[authz.SystemTimeout]
			}
			if denials[r.want] == 0 || e.Stuck() != 0 {
				t.Errorf("denials %v, want %s; %d evaluations are stuck", denials, r.want, e.Stuck())
			}
		})
	}
}

// doubling makes 40 values, each by call of the one before.
func doubling(call string) string {
	var b strings.Builder
	last := "a"
	for i := range 40 {
		fmt.Fprintf(&b, "\n\tz%d := %s", i, fmt.Sprintf(call, last))
		last = fmt.Sprintf("z%d", i)
	}
	return b.String()
}
