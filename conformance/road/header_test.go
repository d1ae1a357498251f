package road_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// identityHeaders are what front ends tell upstreams about who asks. The last two are refused, since taking them away would not be enough
// for an upstream that reads others of their kind.
var identityHeaders = map[string]string{
	"Proxy-Authorization": "Basic c2FtOg==", "Cookie": "session=1", "Dpop": "mine", "Remote-User": "sam", "Ssl-Client-Cert": "mine", "X-Auth-Request-User": "sam", "X-Authenticated-User": "sam", "X-Clearance": "SECRET",
	"X-Country": "USA", "X-Email": "sam@example.org", "X-Forwarded-User": "sam", "X-Forwarded-Email": "sam@example.org", "X-Forwarded-Groups": "admins", "X-Forwarded-Preferred-Username": "sam",
	"X-Forwarded-Access-Token": "mine", "X-Amzn-Oidc-Identity": "sam", "X-Goog-Iap-Jwt-Assertion": "mine", "X-Ms-Client-Principal-Name": "sam", "X-Group": "admins", "X-Nation": "USA", "X-Nationality": "USA",
	"X-Roles": "admin", "X-Sallyport-Subject": "sam", "X-Sallyport-Grant": "mine", "X-Sallyport-Decision-Id": "mine", "X-Subject": "sam", "X-Tenant": "us-defense", "X-Tenant-Id": "us-defense", "X-Token": "mine",
	"X-User": "sam", "X-User-Id": "sam", "X-Username": "sam", "X-Client-Cert": "mine", "X-Forwarded-Client-Cert": "By=spiffe://a;URI=spiffe://sam",
}

func TestNoHeaderSaysUpstreamWhoAsksButTheGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	recorder, requests := record(t, w.StorageSocket())
	envoy := w.secondEnvoy(t, recorder)
	header := maps.Clone(identityHeaders)
	header["Host"], header["X-Other"] = storeHost, "kept"
	token := w.token(t, "sam")
	for _, credential := range []map[string]string{
		{"Authorization": "Bearer " + token},
		{"Authorization": "AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00", "X-Amz-Security-Token": token},
	} {
		h := maps.Clone(header)
		maps.Copy(h, credential)
		delete(h, "Dpop") // a proof goes with the scheme DPoP, or is refused
		a := ask(t, "http://"+envoy, request{method: http.MethodGet, path: welcome, header: h})
		if a.status != http.StatusOK {
			t.Fatalf("status %d: %s", a.status, a.body)
		}
		got := <-requests
		for _, name := range slices.Sorted(maps.Keys(identityHeaders)) {
			if v := got.header.Values(name); len(v) > 0 && name != "X-Sallyport-Decision-Id" {
				t.Errorf("the store would see %s: %q", name, v)
			}
		}
		for name, values := range got.header {
			if strings.Contains(strings.Join(values, "\n"), token) {
				t.Errorf("the store would see the token in %s", name)
			}
		}
		if v := got.header.Values("X-Sallyport-Decision-Id"); len(v) != 1 || v[0] != a.decision() || a.decision() == "mine" {
			t.Errorf("the store would see decisions %q, want %s", v, a.decision())
		}
		if got.header.Get("X-Other") != "kept" {
			t.Error("a header that says nothing of the client is gone")
		}
	}
	for _, name := range []string{"Impersonate-User", "X-Remote-User"} {
		a := w.ask(t, request{who: "sam", method: http.MethodGet, path: welcome, header: map[string]string{name: "admin"}})
		w.check(t, a, unsupported)
	}
}

// The same id is in the answer, in the record, in the store's log (see traces) and, by way of dynamic metadata, in Envoy's access log,
// of what was allowed and of what was denied.
func TestTheDecisionIsInEnvoysAccessLog(t *testing.T) {
	t.Parallel()
	w := sharedWorld(t)
	for who, want := range map[string]outcome{"sam": served, "uma": belowPlans} {
		a := w.ask(t, request{who: who, method: http.MethodGet, path: welcome + "?x-id=GetObject"})
		w.check(t, a, want)
		type line struct {
			DecisionID string `json:"decision_id"`
			Path       string
			Status     int
		}
		var found line
		for deadline := time.Now().Add(20 * time.Second); found.DecisionID == "" && time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
			b, err := os.ReadFile(w.EnvoyAccessLog())
			if err != nil {
				t.Fatal(err)
			}
			for text := range strings.Lines(string(b)) {
				var l line
				if json.Unmarshal([]byte(text), &l) == nil && l.DecisionID == a.decision() {
					found = l
				}
			}
		}
		if want := (line{a.decision(), welcome, a.status}); found != want {
			t.Errorf("Envoy's access log says %+v, want %+v", found, want)
		}
	}
}
