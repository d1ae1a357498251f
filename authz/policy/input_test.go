package policy_test

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/policy"
)

// sameInput wants the input that policy sees to be json.Marshal's.
func sameInput(t interface {
	Helper()
	Errorf(string, ...any)
	Fatal(...any)
}, in authz.Input) {
	t.Helper()
	want, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	got, id, err := policy.Encode(in)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("input (-want +got):\n%s", d)
	}
	if want, _ := json.Marshal(in.Resource.ID); string(want) != string(got[id[0]:id[1]]) {
		t.Errorf("resource.id is said to be %s", got[id[0]:id[1]])
	}
}

func TestTheInputIsWhatJSONMarshalMakes(t *testing.T) {
	t.Parallel()
	sam := usaPerson("sam", "SECRET")
	sameInput(t, authz.Input{})
	sameInput(t, authz.Input{Subject: sam, Action: plans("x").Action, Resource: plans("x").Resource, Context: demoContext()})
	for _, text := range []string{"", "\x00\x1f\b\f\n\r\t\"\\/", "<a href='x'>&amp;</a>", "Ünïcode 日本 🛂", "\u2028\u2029", "\xff\xfe", "a\xc3", "\x7f", "\ufffd"} {
		sameInput(t, authz.Input{Subject: authz.Subject{ID: text}, Resource: authz.Resource{ID: text}})
	}
	_, _, err := policy.Encode(authz.Input{Subject: authz.Subject{Properties: authz.SubjectProperties{Cut: []authz.Cut{{Claim: "clearance", Value: math.NaN()}}}}})
	if err == nil {
		t.Error("a value that is no JSON is accepted")
	}
}

// Makes whole inputs of random values, with every list nil, empty and filled, and every pointer nil and set.
func TestAnyInputIsWhatJSONMarshalMakes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var in authz.Input
		fill(t, reflect.ValueOf(&in).Elem(), 0)
		sameInput(t, in)
	})
}

func FuzzInput(f *testing.F) {
	f.Add([]byte("seed"), "usa|<sam>\u2028")
	f.Fuzz(func(t *testing.T, data []byte, text string) {
		in := authz.Input{Subject: authz.Subject{ID: text, Properties: authz.SubjectProperties{Roles: []string{string(data)}}}, Resource: authz.Resource{ID: text}}
		in.Action.Properties.RequestLabels = []authz.Label{{Categories: map[string][]string{text: {string(data)}, string(data): nil}}}
		sameInput(t, in)
	})
}

// fill sets v to something random.
func fill(t *rapid.T, v reflect.Value, depth int) {
	switch v.Interface().(type) {
	case authz.Time:
		if rapid.Bool().Draw(t, "known") {
			v.Set(reflect.ValueOf(authz.At(time.Unix(rapid.Int64Range(-1<<40, 1<<40).Draw(t, "seconds"), rapid.Int64Range(0, 999999999).Draw(t, "nanoseconds")))))
		}
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(rapid.String().Draw(t, "text"))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Int64:
		v.SetInt(rapid.Int64().Draw(t, "number"))
	case reflect.Pointer:
		if rapid.Bool().Draw(t, "set") {
			v.Set(reflect.New(v.Type().Elem()))
			fill(t, v.Elem(), depth)
		}
	case reflect.Interface:
		if rapid.Bool().Draw(t, "text") {
			v.Set(reflect.ValueOf(rapid.String().Draw(t, "value")))
		} else {
			v.Set(reflect.ValueOf(map[string]any{"scheme": rapid.String().Draw(t, "scheme"), "categories": map[string]any{}}))
		}
	case reflect.Slice:
		n := rapid.IntRange(-1, 2).Draw(t, "length")
		if n < 0 || v.Type().Elem().Kind() == reflect.Uint8 {
			return
		}
		if depth > 3 {
			n = 0
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(t, v.Index(i), depth+1)
		}
	case reflect.Map:
		if rapid.Bool().Draw(t, "known") {
			v.Set(reflect.ValueOf(rapid.MapOfN(rapid.String(), rapid.SliceOfN(rapid.String(), 0, 2), 0, 3).Draw(t, "categories")))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), depth)
		}
	}
}
