package oracle_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/sallyport-dev/sallyport/authz"
)

// newLabels are what a relabelling asks for, and requesters who asks.
var (
	newLabels = of(func(in *authz.Input, v []authz.Label) { in.Action.Properties.RequestLabels = v },
		[]authz.Label{}, nil, []authz.Label{label("LOW")}, []authz.Label{label("MIDDLE")}, []authz.Label{label("HIGH")},
		[]authz.Label{change(label("LOW"), func(l *authz.Label) { l.Created = at("2024-02-01") })},
		[]authz.Label{label("LOW"), label("MIDDLE")})
	requesters = of(func(in *authz.Input, v string) { in.Subject.ID = v }, "nor|nils", "nor|a", "nor|nina")
)

// downgraded are the labels of fjord's downgrades, in their order: what the digests in testdata/world are of.
func downgraded() [][2][]authz.Label {
	with := func(f func(*authz.Label)) authz.Label { return change(label("MIDDLE"), f) }
	x := with(func(l *authz.Label) { l.Categories = map[string][]string{"comp": {"X"}} })
	xy := with(func(l *authz.Label) { l.Categories = map[string][]string{"comp": {"X", "Y"}} })
	eyes := with(func(l *authz.Label) { l.Nation = names("EYES") })
	care := with(func(l *authz.Label) { l.Handling = names("CARE") })
	perm := with(func(l *authz.Label) { l.Categories = map[string][]string{"perm": {"P"}} })
	middle, low := label("MIDDLE"), label("LOW")
	return [][2][]authz.Label{
		{{middle, x}, {middle, low}},
		{{middle, xy}, {middle, low}},
		{{middle, eyes}, {middle}},
		{{middle, care}, {middle, low}},
		{{middle, perm}, {middle, low}},
	}
}

// digest is the README's recipe, by way of a map, whose members JSON sorts.
func digest(t *testing.T, l authz.Label) string {
	t.Helper()
	text, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	if text, err = json.Marshal(members); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// TestTheGridsDowngradesAreOfItsLabels keeps the digests of the grid's world, which nobody can read, about the labels of its axes.
func TestTheGridsDowngradesAreOfItsLabels(t *testing.T) {
	text, err := os.ReadFile(gridWorld + "/tenants/fjord/agreements/data.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Downgrades []struct{ From, To []string }
	}
	if err := yaml.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	var want []struct{ From, To []string }
	for _, pair := range downgraded() {
		var d struct{ From, To []string }
		for _, l := range pair[0] {
			d.From = append(d.From, digest(t, l))
		}
		for _, l := range pair[1] {
			d.To = append(d.To, digest(t, l))
		}
		want = append(want, d)
	}
	if d := cmp.Diff(want, got.Downgrades); d != "" {
		t.Errorf("downgrades (-axes +world):\n%s", d)
	}
}

// TestADowngradeIsDecidedAlikeByAll looks at one relabelling that a downgrade allows, since the grid would not miss it.
func TestADowngradeIsDecidedAlikeByAll(t *testing.T) {
	w := open(t, gridWorld)
	pair := downgraded()[0]
	in := w.read()
	in.Action.Name, in.Subject.Properties.Roles = "relabel", names("marker")
	in.Subject.Properties.Clearances = []authz.Clearance{with(nor("LOW", "MIDDLE"), "comp", "X")}
	in.Resource.Properties.Labels, in.Action.Properties.RequestLabels = pair[0], pair[1][1:]
	for _, who := range []string{"nor|nils", "nor|a"} { // a has approved it himself
		in.Subject.ID = who
		want := w.oracle.Decide(in)
		if allowed := who == "nor|nils"; want.Allow != allowed {
			t.Errorf("%s: allow %v for %v", who, want.Allow, want.Reasons)
		}
		for engine := range w.engines {
			if d := cmp.Diff(want, w.ask(t, engine, in)); d != "" {
				t.Errorf("%s, %s (-oracle +policy):\n%s", who, engine, d)
			}
		}
	}
	if slices.Contains(w.oracle.Decide(in).Reasons, "label.missing") {
		t.Error("nothing was relabelled")
	}
}
