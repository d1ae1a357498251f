package resource_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/resource"
)

// labelled is a catalogue with a row whose objects carry labels of their own, and one whose objects do not.
func labelled(t testing.TB) *resource.Catalogue {
	t.Helper()
	c, err := resource.New(resource.Documents{Tenants: json.RawMessage(`{"us": {"catalogue": {"rows": {
		"us-marked/": {"service": "s3", "labels": [{"scheme": "USA", "level": "UNCLASSIFIED"}], "labels_on_objects": true},
		"us-plain/": {"service": "s3", "labels": [{"scheme": "USA", "level": "SECRET"}], "labels_on_objects": false}
	}}}}`), Schemes: json.RawMessage(`{"USA": {"title": "Test", "nation": "USA", "release": {"allowed": true},
		"levels": [{"id": "UNCLASSIFIED", "hierarchy": 0, "marking": "UNCLASSIFIED"}, {"id": "SECRET", "hierarchy": 3, "marking": "SECRET"}], "tag_sets": {}, "native_clearances": {}}}`)},
		resource.Limits{Accesses: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const secretLabel = `{"scheme":"USA","level":"SECRET"}`

func levels(labels []authz.Label) string {
	var l []string
	for _, label := range labels {
		l = append(l, label.Level)
	}
	return strings.Join(l, " ")
}

func TestASecondResolutionHasTheLabelsOfObjectsAndIsBoundToThem(t *testing.T) {
	id := authz.ObjectID{Tenant: "us", Path: "us-marked/a"}
	object := authz.Object{ETag: `"e1"`, Metadata: map[string]string{"label": secretLabel}, Tags: map[string]string{}}
	copySource := func(path string) authz.HeaderField {
		return authz.HeaderField{Name: "x-amz-copy-source", Value: path}
	}
	type access struct{ Action, Labels, Requested, From string }
	type resolved struct {
		Objects  []authz.ObjectID
		Accesses []access
		Bound    []authz.HeaderField
	}
	for _, tc := range []struct {
		name          string
		req           authz.Request
		first, second resolved
	}{
		{"a read", request("GET", "/us-marked/a"),
			resolved{[]authz.ObjectID{id}, []access{{"read", "UNCLASSIFIED", "", ""}}, nil},
			resolved{[]authz.ObjectID{id}, []access{{"read", "UNCLASSIFIED SECRET", "", ""}}, []authz.HeaderField{{Name: "if-match", Value: `"e1"`}}}},
		{"a delete", request("DELETE", "/us-marked/a"),
			resolved{[]authz.ObjectID{id}, []access{{"delete", "UNCLASSIFIED", "", ""}}, nil},
			resolved{[]authz.ObjectID{id}, []access{{"delete", "UNCLASSIFIED SECRET", "", ""}}, []authz.HeaderField{{Name: "if-match", Value: `"e1"`}}}},
		{"a write carries its label, and nothing is asked", request("PUT", "/us-marked/b", authz.HeaderField{Name: "x-amz-meta-label", Value: secretLabel}),
			resolved{nil, []access{{"create", "UNCLASSIFIED", "SECRET", ""}}, nil},
			resolved{nil, []access{{"create", "UNCLASSIFIED", "SECRET", ""}}, nil}},
		{"a copy out brings the label to the flow", request("PUT", "/us-plain/b", copySource("us-marked/a")),
			resolved{[]authz.ObjectID{id}, []access{{"read", "UNCLASSIFIED", "", ""}, {"create", "SECRET", "", "UNCLASSIFIED"}}, nil},
			resolved{[]authz.ObjectID{id}, []access{{"read", "UNCLASSIFIED SECRET", "", ""}, {"create", "SECRET", "", "UNCLASSIFIED SECRET"}},
				[]authz.HeaderField{{Name: "x-amz-copy-source-if-match", Value: `"e1"`}}}},
		{"a copy within gives the new object the label that it keeps", request("PUT", "/us-marked/b", copySource("us-marked/a")),
			resolved{[]authz.ObjectID{id}, []access{{"read", "UNCLASSIFIED", "", ""}, {"create", "UNCLASSIFIED", "", "UNCLASSIFIED"}}, nil},
			resolved{[]authz.ObjectID{id}, []access{{"read", "UNCLASSIFIED SECRET", "", ""}, {"create", "UNCLASSIFIED", "SECRET", "UNCLASSIFIED SECRET"}},
				[]authz.HeaderField{{Name: "x-amz-copy-source-if-match", Value: `"e1"`}}}},
		{"where no labels are on objects, nothing is asked", request("GET", "/us-plain/a"),
			resolved{nil, []access{{"read", "SECRET", "", ""}}, nil}, resolved{nil, []access{{"read", "SECRET", "", ""}}, nil}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := labelled(t)
			look := func(res authz.Resolution, err error) (r resolved) {
				if err != nil {
					t.Fatal(err)
				}
				r.Objects, r.Bound = res.Objects, res.Upstream.Bound
				for _, a := range res.Accesses {
					from := ""
					for _, f := range a.Action.Properties.From {
						from += levels(f.Labels)
					}
					r.Accesses = append(r.Accesses, access{a.Action.Name, levels(a.Resource.Properties.Labels), levels(a.Action.Properties.RequestLabels), from})
				}
				return r
			}
			if diff := cmp.Diff(tc.first, look(c.Resolve(tc.req))); diff != "" {
				t.Errorf("first, -want +have:\n%s", diff)
			}
			if diff := cmp.Diff(tc.second, look(c.ResolveWith(tc.req, map[authz.ObjectID]authz.Object{id: object}))); diff != "" {
				t.Errorf("second, -want +have:\n%s", diff)
			}
			if diff := cmp.Diff(tc.first, look(c.Resolve(tc.req))); diff != "" { // the catalogue is shared, and must not have changed
				t.Errorf("first again, -want +have:\n%s", diff)
			}
		})
	}
}

func TestWhatCannotBeHeldToItsLabelIsRefused(t *testing.T) {
	c := labelled(t)
	for _, req := range []authz.Request{
		request("GET", "/us-marked/a?tagging"), request("PUT", "/us-marked/a?tagging"), request("DELETE", "/us-marked/a?tagging"), request("GET", "/us-marked/a?attributes"),
		request("POST", "/us-marked/a?uploads"), request("PUT", "/us-marked/a?partNumber=1&uploadId=u"), request("POST", "/us-marked/a?uploadId=u"), request("DELETE", "/us-marked/a?uploadId=u"),
		request("PUT", "/us-plain/a?partNumber=1&uploadId=u", authz.HeaderField{Name: "x-amz-copy-source", Value: "us-marked/a"}),
	} {
		_, err := c.Resolve(req)
		var r *authz.Refusal
		if !errors.As(err, &r) || r.Reason != authz.RequestUnsupported {
			t.Errorf("%s %s?%s: %v, want request.unsupported", req.Method, req.Path, req.Query, err)
		}
	}
}

func TestLabelsThatCannotBeRead(t *testing.T) {
	c := labelled(t)
	for name, text := range map[string]string{
		"a word": "SECRET", "an unknown level": `{"scheme":"USA","level":"COSMIC"}`, "an unknown scheme": `{"scheme":"MARS","level":"SECRET"}`, "no JSON": "{", "a list": "[]", "a text": `"SECRET"`, "an empty object": "{}", "no level": `{"scheme":"USA"}`,
		"an unknown member": `{"scheme":"USA","level":"SECRET","caveat":"x"}`, "a member twice": `{"scheme":"USA","level":"SECRET","level":"UNCLASSIFIED"}`,
		"a member twice in another case": `{"scheme":"USA","level":"SECRET","LEVEL":"UNCLASSIFIED"}`, "a second value": secretLabel + secretLabel,
		"something behind it": secretLabel + "x", "a number for a level": `{"scheme":"USA","level":1}`, "more than 2 KiB": `{"scheme":"USA","level":"` + strings.Repeat("S", 2<<10) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.Resolve(request("PUT", "/us-marked/a", authz.HeaderField{Name: "x-amz-meta-label", Value: text}))
			var r *authz.Refusal
			if !errors.As(err, &r) || r.Reason != authz.LabelUnbound {
				t.Errorf("%v, want label.unbound", err)
			}
			_, err = c.ResolveWith(request("GET", "/us-marked/a"), map[authz.ObjectID]authz.Object{
				{Tenant: "us", Path: "us-marked/a"}: {ETag: `"e1"`, Metadata: map[string]string{"label": text}}})
			if !errors.As(err, &r) || r.Reason != authz.LabelUnbound {
				t.Errorf("on an object: %v, want label.unbound", err)
			}
		})
	}
}

func TestTheFormsOfALabelOnAnObject(t *testing.T) {
	c := labelled(t)
	id := authz.ObjectID{Tenant: "us", Path: "us-marked/a"}
	tag := base64.RawURLEncoding.EncodeToString([]byte(secretLabel))
	for name, tc := range map[string]struct {
		object authz.Object
		want   string // levels beside the row's; "" is a refusal
	}{
		"JSON in metadata":         {authz.Object{Metadata: map[string]string{"label": secretLabel}}, "SECRET"},
		"an SIO-Label in metadata": {authz.Object{Metadata: map[string]string{"sio-label": `marking="SECRET"`}}, "SECRET"},
		"base64url in a tag":       {authz.Object{Tags: map[string]string{"label": tag}}, "SECRET"},
		"all of them":              {authz.Object{Metadata: map[string]string{"label": secretLabel, "sio-label": `marking="SECRET"`}, Tags: map[string]string{"label": tag}}, "SECRET SECRET SECRET"},
		"base64url with padding":   {authz.Object{Tags: map[string]string{"label": tag + "="}}, ""},
		"JSON in a tag":            {authz.Object{Tags: map[string]string{"label": secretLabel}}, ""},
		"a word in a tag":          {authz.Object{Tags: map[string]string{"label": "SECRET"}}, ""},
		"an SIO-Label without end": {authz.Object{Metadata: map[string]string{"sio-label": `marking="SECRET`}}, ""},
		"one good, one bad":        {authz.Object{Metadata: map[string]string{"label": secretLabel, "sio-label": "x"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			tc.object.ETag = `"e1"`
			res, err := c.ResolveWith(request("GET", "/us-marked/a"), map[authz.ObjectID]authz.Object{id: tc.object})
			if (err == nil) != (tc.want != "") {
				t.Fatal(err)
			}
			if err == nil {
				if have := levels(res.Accesses[0].Resource.Properties.Labels); have != "UNCLASSIFIED "+tc.want {
					t.Errorf("%s, want %s", have, tc.want)
				}
			}
		})
	}
}

// FuzzLabel holds every text to this: it is refused, or a whole label that a lenient reader reads alike.
func FuzzLabel(f *testing.F) {
	f.Add(secretLabel)
	f.Add(`{"scheme":"USA","level":"SECRET","release":["USA","GBR"],"alternatives":[{"scheme":"USA","level":"UNCLASSIFIED"}]}`)
	f.Add(`{"scheme":"USA","Scheme":"GBR","level":"SECRET"}`)
	c := labelled(f)
	f.Fuzz(func(t *testing.T, text string) {
		res, err := c.ResolveWith(request("GET", "/us-marked/a"), map[authz.ObjectID]authz.Object{
			{Tenant: "us", Path: "us-marked/a"}: {ETag: `"e1"`, Metadata: map[string]string{"label": text}}})
		if err != nil || text == "" {
			return
		}
		labels := res.Accesses[0].Resource.Properties.Labels
		if len(labels) != 2 || labels[1].Scheme == "" || labels[1].Level == "" || labels[1].Categories == nil || labels[1].Nation == nil {
			t.Fatalf("%q became %+v", text, labels)
		}
		var lenient struct{ Scheme, Level string }
		if err := json.Unmarshal([]byte(text), &lenient); err != nil || lenient.Scheme != labels[1].Scheme || lenient.Level != labels[1].Level {
			t.Fatalf("%q is %+v to another reader (%v)", text, lenient, err)
		}
	})
}
