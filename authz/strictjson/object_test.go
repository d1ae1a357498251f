package strictjson_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz/strictjson"
)

func TestAnObjectIsReadInOneWay(t *testing.T) {
	got, err := strictjson.Object([]byte(`{"a": [1, "x", null, true], "b": {"c": 1.5}}`), 2)
	want := map[string]any{"a": []any{json.Number("1"), "x", nil, true}, "b": map[string]any{"c": json.Number("1.5")}}
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Errorf("%v (-want +got):\n%s", err, d)
	}
	for _, r := range []struct{ name, text, want string }{
		{"a name twice", `{"a": 1, "a": 2}`, `name "a" twice`},
		{"a name twice, once escaped, within", `{"x": {"a": 1, "\u0061": 2}}`, `name "a" twice`},
		{"half a surrogate pair", `{"a": "\ud800"}`, "text that is not Unicode"},
		{"half a surrogate pair as a name", `{"\ud800": 1}`, "text that is not Unicode"},
		{"bytes that are not UTF-8", "{\"a\": \"\xff\"}", "not UTF-8"},
		{"something behind it", `{} {}`, "not one JSON value"},
		{"a list", `[]`, "not a JSON object"},
		{"three levels", `{"a": {"b": []}}`, "nested deeper than it may be"},
	} {
		if _, err := strictjson.Object([]byte(r.text), 2); err == nil || err.Error() != r.want {
			t.Errorf("%s: %v, want %s", r.name, err, r.want)
		}
	}
}

func FuzzObject(f *testing.F) {
	f.Add([]byte(`{"a": [{"b": null}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, err := strictjson.Object(b, 4)
		if err == nil && (o == nil || !json.Valid(b)) {
			t.Errorf("%q is taken as %v", b, o)
		}
	})
}
