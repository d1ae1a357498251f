package audit_test

import (
	"encoding/json"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/audit"
)

var odd = []string{"", "plain", `a"b\c`, "\x00\b\f\n\r\t\x1f\x7f", "é\u2028\u2029\U0001f512\ufffd", "\xff\xc3", "<&>", "us-defense", "a\xe2\x80"}

var raws = []string{"null", `{"a":[1,2.5e-3,true,null,{"b":"\u00e9"}]}`, ` { "a" : [ 1 , 2 ] } `, `"é\n"`, "0", `{"a":"<é>"}`}

// fillAny gives v and all below it random values, so that a field which somebody adds is filled too.
func fillAny(v reflect.Value, random *rand.Rand) {
	switch v.Interface().(type) {
	case authz.Time:
		if random.IntN(4) > 0 {
			v.Set(reflect.ValueOf(authz.At(time.Unix(random.Int64N(1<<32), random.Int64N(1e9)))))
		}
		return
	case json.RawMessage:
		if random.IntN(4) > 0 {
			v.Set(reflect.ValueOf(json.RawMessage(raws[random.IntN(len(raws))])))
		}
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(odd[random.IntN(len(odd))])
	case reflect.Bool:
		v.SetBool(random.IntN(2) == 0)
	case reflect.Int, reflect.Int64:
		v.SetInt(random.Int64N(3) * random.Int64N(1<<40))
	case reflect.Pointer:
		if random.IntN(3) > 0 {
			v.Set(reflect.New(v.Type().Elem()))
			fillAny(v.Elem(), random)
		}
	case reflect.Slice:
		if n := random.IntN(4) - 1; n >= 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
		}
		for i := range v.Len() {
			fillAny(v.Index(i), random)
		}
	case reflect.Array:
		for i := range v.Len() {
			fillAny(v.Index(i), random)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		for range random.IntN(4) {
			name, text := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
			fillAny(name, random)
			fillAny(text, random)
			v.SetMapIndex(name, text)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fillAny(v.Field(i), random)
		}
	default:
		panic("a record has a field of kind " + v.Kind().String() + ": teach this test and appendRecord")
	}
}

func TestARecordIsEncodedAsEncodingJSONWould(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(3, 4))
	for range 3000 {
		var r authz.Record
		fillAny(reflect.ValueOf(&r).Elem(), random)
		want, err := audit.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		have, err := audit.AppendRecord(nil, &r)
		if err != nil || string(have) != string(want) {
			t.Fatalf("%v\nhave %s\nwant %s", err, have, want)
		}
	}
	for _, raw := range []string{"{", "", "1 2", "\x00"} {
		r := authz.Record{Accesses: []authz.RecordAccess{{Input: json.RawMessage(raw)}}}
		if b, err := audit.AppendRecord(nil, &r); err == nil {
			t.Errorf("input %q is written: %s", raw, b)
		}
	}
}
