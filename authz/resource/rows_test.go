package resource_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/resource"
)

// of makes a catalogue of rows, each of one tenant.
func of(t interface{ Fatal(...any) }, ids []string) *resource.Catalogue {
	rows := map[string]any{}
	for _, id := range ids {
		rows[id] = map[string]string{"service": "s3"}
	}
	data, err := json.Marshal(map[string]any{"t": map[string]any{"catalogue": map[string]any{"rows": rows}}})
	if err != nil {
		t.Fatal(err)
	}
	c, err := resource.New(resource.Documents{Tenants: data}, resource.Limits{Accesses: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// governing returns the rows of what req touches, "" where there is none.
func governing(t interface{ Fatal(...any) }, c *resource.Catalogue, req authz.Request) []string {
	res, err := c.Resolve(req)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, a := range res.Accesses {
		if row := a.Resource.Properties.Row; row != nil {
			ids = append(ids, *row)
		} else {
			ids = append(ids, "")
		}
	}
	return ids
}

func longest(ids []string, path string) (best string) {
	for _, id := range ids {
		if strings.HasPrefix(path, id) && len(id) > len(best) {
			best = id
		}
	}
	return best
}

func TestRowsAreThoseOfANaiveScan(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		segment := rapid.SampledFrom([]string{"a", "b", "aa", "ab", "a-", "a.", "é"})
		prefixes := rapid.SliceOfNDistinct(rapid.SliceOfN(segment, 0, 4), 0, 12, func(s []string) string { return strings.Join(s, "/") })
		var ids []string
		for _, p := range prefixes.Draw(t, "rows") {
			ids = append(ids, strings.Join(append([]string{"bucket"}, p...), "/")+"/")
		}
		slices.Sort(ids)
		c := of(t, ids)
		key := strings.Join(rapid.SliceOfN(segment, 1, 6).Draw(t, "key"), "/")
		if want, have := []string{longest(ids, "bucket/"+key)}, governing(t, c, request("GET", "/bucket/"+escaped(key))); !slices.Equal(want, have) {
			t.Fatalf("rows %q: %s is of %q, want %q", ids, key, have, want)
		}

		var want []string
		if above := longest(ids, "bucket/"+key); above != "" && above != "bucket/"+key {
			want = append(want, above)
		}
		for _, id := range ids {
			if strings.HasPrefix(id, "bucket/"+key) {
				want = append(want, id)
			}
		}
		if want == nil {
			want = []string{""}
		}
		if diff := cmp.Diff(want, governing(t, c, request("GET", "/bucket?prefix="+escaped(key)))); diff != "" {
			t.Fatalf("rows %q: a list of %s, -want +have:\n%s", ids, key, diff)
		}
	})
}

func escaped(key string) string { return strings.ReplaceAll(key, "é", "%C3%A9") }

// Rows that are deeply nested in one another, next to a key that has none of them in common, are the longest walk there is.
func TestDeepRowsAreFound(t *testing.T) {
	var ids []string
	for depth := range 100 {
		ids = append(ids, "bucket/"+strings.Repeat("a/", depth))
	}
	c := of(t, ids)
	for depth := range 100 {
		want := []string{"bucket/" + strings.Repeat("a/", depth)}
		if have := governing(t, c, request("GET", "/bucket/"+strings.Repeat("a/", depth)+"b")); !slices.Equal(want, have) {
			t.Errorf("%q: want %q", have, want)
		}
	}
}

// FuzzResolve holds every request to this: a refusal, or accesses of plain ids that the canonical form gives again.
func FuzzResolve(f *testing.F) {
	c := of(f, []string{"us-fire/", "us-fire/a/", "us-fire/a/b/", "us-fire-x/c/"})
	f.Add("GET", "/us-fire/a/b", "", "us-fire/a")
	f.Add("GET", "/us-fire", "list-type=2&prefix=a%2F", "")
	f.Add("PUT", "/us-fire-x/c/%41", "", "/us-fire/a/b/c")
	f.Add("PUT", "/us-fire/%2e%2e/b", "", "us-fire/../c")
	f.Add("DELETE", "/us-fire/.sgwtmp", "uploadId=u", "")
	f.Fuzz(func(t *testing.T, method, path, query, source string) {
		req := request(method, "")
		req.Path, req.Query = path, query
		if source != "" {
			req.Headers = authz.Headers{{Name: "x-amz-copy-source", Value: source}}
		}
		res, err := c.Resolve(req)
		if err != nil {
			var r *authz.Refusal
			if !errors.As(err, &r) {
				t.Fatalf("%v: want a refusal", err)
			}
			return
		}
		for _, a := range res.Accesses {
			key := strings.TrimPrefix(a.Resource.ID, "s3://")
			for i, s := range strings.Split(key, "/") {
				if s == "" && i < strings.Count(key, "/") || s == "." || s == ".." || strings.HasPrefix(s, ".sgw") {
					t.Fatalf("%s has segment %q", a.Resource.ID, s)
				}
			}
		}
		again := req
		again.Path, again.Query = res.Upstream.Path, res.Upstream.Query
		repeated, err := c.Resolve(again)
		if diff := cmp.Diff(res, repeated); diff != "" || err != nil {
			t.Fatalf("the canonical form is another request, %v, -first +again:\n%s", err, diff)
		}
	})
}

func BenchmarkResolve(b *testing.B) {
	for _, n := range []int{10, 1_000, 100_000} {
		var ids []string
		for i := range n / 2 {
			ids = append(ids, fmt.Sprintf("bucket-%d/", i), fmt.Sprintf("bucket-%d/within/", i))
		}
		c := of(b, ids)
		for _, req := range []struct {
			name string
			req  authz.Request
		}{
			{"get", request("GET", fmt.Sprintf("/bucket-%d/within/a%%20b/c", n/4))},
			{"list", request("GET", fmt.Sprintf("/bucket-%d?list-type=2&prefix=with", n/4))},
		} {
			b.Run(fmt.Sprintf("%s/rows=%d", req.name, n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := c.Resolve(req.req); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
