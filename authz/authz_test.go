package authz_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
)

func TestUnknownIsNullAndNoneIsEmpty(t *testing.T) {
	for name, c := range map[string]struct {
		value any
		want  string
	}{
		"an unknown place rule":         {authz.Countries{}, `null`},
		"a place rule that lets nobody": {authz.Countries{List: []string{}}, `[]`},
		"no place rule":                 {authz.Countries{Any: true}, `"any"`},
		"a list of places":              {authz.Countries{List: []string{"NZL"}}, `["NZL"]`},
		"an unknown time":               {authz.Time{}, `null`},
		"a time in another zone":        {authz.At(time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("", 3600))), `"2026-01-02T02:04:05.000000006Z"`},
		"unknown clearances":            {authz.SubjectProperties{}.Clearances, `null`},
		"known to have no clearances":   {[]authz.Clearance{}, `[]`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := json.Marshal(c.value)
			if err != nil || string(got) != c.want {
				t.Errorf("%s, %v; want %s", got, err, c.want)
			}
		})
	}
}

func TestTextOrderOfTimesIsTimeOrder(t *testing.T) {
	base := time.Date(2026, 12, 31, 23, 59, 59, 0, time.UTC)
	var texts []string
	for _, d := range []time.Duration{-time.Hour, -1, 0, 1, 999, time.Millisecond, time.Second, 24 * time.Hour} {
		texts = append(texts, authz.At(base.Add(d)).String())
	}
	if !slices.IsSorted(texts) {
		t.Errorf("not sorted: %q", texts)
	}
}

func TestCountriesAndTimesRefuseOtherShapes(t *testing.T) {
	for _, in := range []string{`"all"`, `true`, `{"any":true}`, `[1]`, `""`} {
		var c authz.Countries
		if err := json.Unmarshal([]byte(in), &c); err == nil {
			t.Errorf("Countries took %s as %+v", in, c)
		}
	}
	for _, in := range []string{`"yesterday"`, `"2026-01-02"`, `1767312000`, `true`} {
		var v authz.Time
		if err := json.Unmarshal([]byte(in), &v); err == nil {
			t.Errorf("Time took %s as %v", in, v)
		}
	}
}
