package routed_test

import (
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/resource/routed"
)

// What a grant removes and what Envoy lets it remove must be the same names, or an honest answer is an error at Envoy.
func TestWhatSaysWhoAsksIsRemovedAndEnvoyLetsIt(t *testing.T) {
	lets := regexp.MustCompile("^(" + routed.RemovedExpression() + ")$")
	for name, removed := range map[string]bool{
		"cookie": true, "dpop": true, "proxy-authorization": true, "x-user": true, "x-user-id": true, "x-clearance": true, "x-sallyport-grant": true,
		"x-username": true, "x-users": false, "x-use": false, "my-x-user": false, "accept": false, "cookie2": false, "x-amz-date": false,
	} {
		got := routed.Removed(authz.Headers{{Name: name, Value: "v"}})
		want := []string{"authorization", "x-amz-security-token"}
		if removed {
			want = append(want, name)
		}
		if d := cmp.Diff(map[string]bool{want[0]: true, want[1]: true, want[len(want)-1]: true}, set(got)); d != "" || len(got) != len(want) {
			t.Errorf("%s: removed %v, want %v", name, got, want)
		}
		if lets.MatchString(name) != removed {
			t.Errorf("%s: Envoy lets it be removed: %v, want %v", name, !removed, removed)
		}
	}
}

func set(names []string) map[string]bool {
	out := map[string]bool{}
	for _, n := range names {
		out[n] = true
	}
	return out
}
