package gateway

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/grant"
	"github.com/sallyport-dev/sallyport/authz/grant/service"
)

// grantsJobs makes a gateway grant for a job service, and returns what that service links.
func grantsJobs(t *testing.T) (change func(*Config), verifier *service.Verifier) {
	t.Helper()
	raw, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private, err := jwk.FromRaw(raw)
	if err != nil {
		t.Fatal(err)
	}
	public, err := private.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	set := func(k jwk.Key) []byte {
		if err := errors.Join(k.Set(jwk.KeyIDKey, "k1"), k.Set(jwk.AlgorithmKey, jwa.ES256)); err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(map[string]any{"keys": []any{k}})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	verifier, err = service.New(service.Config{Issuer: "sallyport", Audience: "jobs", Keys: set(public), Started: time.Now().Truncate(time.Second)})
	if err != nil {
		t.Fatal(err)
	}
	return func(c *Config) {
		c.Services, err = grant.NewServices(grant.ServicesConfig{
			Audience: "jobs", Issuer: "sallyport", Keys: set(private), TTL: 30 * time.Second, Storage: c.Storage,
		})
		if err != nil {
			t.Fatal(err)
		}
	}, verifier
}

const jobBody = `{"module": "s3://us-defense-plans/module.wasm", "inputs": ["s3://us-defense-plans/welcome.txt"],
	"outputs": ["s3://us-defense-plans/report.txt"], "enclave": "ENCLAVE", "queue": "us-defense"}`

// startJob asks for a job in an enclave.
func startJob(enclave, token string, changes ...func(*authv3.CheckRequest)) (*authv3.CheckRequest, string) {
	body := strings.Replace(jobBody, "ENCLAVE", enclave, 1)
	return ask("POST", "/v1/jobs", token, append([]func(*authv3.CheckRequest){
		extension("service", "jobs"), extension("audience", "jobs"), extension("body", "present"),
		header("content-type", "application/json"), header("x-sallyport-grant", "the client's own"),
		func(in *authv3.CheckRequest) { in.Attributes.Request.Http.RawBody = []byte(body) },
	}, changes...)...), body
}

func TestAJobReachesItsServiceWithAGrantForWhatWasRecorded(t *testing.T) {
	t.Parallel()
	change, verifier := grantsJobs(t)
	g := start(t, world, change)
	asked, body := startJob("iad-1", token(t, "SECRET"))
	got, out := check(t, client(t, g.Server, nil), asked)
	if diff := cmp.Diff(passes, got); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	req := httptest.NewRequest("POST", "/v1/jobs", nil)
	req.Host = "storage.sallyport.test"
	for _, h := range out.GetOkResponse().GetHeaders() {
		req.Header.Set(h.GetHeader().GetKey(), h.GetHeader().GetValue())
	}
	verified, err := verifier.Verify(req, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	want := service.Grant{
		Subject: "usa|sam", DecisionID: decisionID(out), Tenant: "us-defense", Enclave: "iad-1", Operation: "StartJob",
		Accesses: []service.Access{
			{Operation: "StartJob", URI: "job:us-defense"},
			{Operation: "ReadModule", URI: "s3://us-defense-plans/module.wasm"},
			{Operation: "ReadInput", URI: "s3://us-defense-plans/welcome.txt"},
			{Operation: "WriteOutput", URI: "s3://us-defense-plans/report.txt"},
		},
	}
	rest := cmpopts.IgnoreFields(service.Grant{}, "Issuer", "Audience", "IssuedAt", "Expires", "Method", "Authority", "Path", "BodySHA256", "Limits")
	if diff := cmp.Diff(want, verified, rest, cmpopts.IgnoreFields(service.Access{}, "URL")); diff != "" {
		t.Errorf("grant (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"authorization", "x-amz-security-token"}, out.GetOkResponse().GetHeadersToRemove()); diff != "" {
		t.Errorf("removed (-want +got):\n%s", diff)
	}
	records := g.decisions(t)["us-defense"]
	if len(records) != 1 || !records[0].Allow || len(records[0].Accesses) != 4 || records[0].Request.Protocol != "jobs" {
		t.Fatalf("want one record of four accesses, have %+v", records)
	}
	line, err := json.Marshal(records[0])
	if err != nil || strings.Contains(string(line), "X-Amz-Signature") || strings.Contains(string(line), req.Header.Get(service.Header)) {
		t.Errorf("the record holds a credential (%v): %s", err, line)
	}
	judgedAgain(t, records[0])
}

func TestNoGrantIsMadeForAJob(t *testing.T) {
	t.Parallel()
	change, _ := grantsJobs(t)
	for _, tt := range []struct {
		name    string
		changes []func(*Config)
		enclave string
		asked   func(*authv3.CheckRequest)
		want    []authz.Reason
	}{
		{"by a gateway without grants.services", nil, "iad-1", nil, reasons("system.grant_unavailable")},
		{"on a route to another service", []func(*Config){change}, "iad-1", extension("audience", "other"), reasons("system.grant_unavailable")},
		{"in an enclave that may not see its input", []func(*Config){change}, "par-1", nil,
			reasons("enclave.ceiling", "jurisdiction.legal_control", "jurisdiction.processing")},
		{"whose body repeats a member", []func(*Config){change}, `iad-1", "enclave": "par-1`, nil, reasons("request.unsupported")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := start(t, world, tt.changes...)
			if tt.asked == nil {
				tt.asked = func(*authv3.CheckRequest) {}
			}
			asked, _ := startJob(tt.enclave, token(t, "SECRET"), tt.asked)
			got, _ := check(t, client(t, g.Server, nil), asked)
			if got.HTTP != 403 || got.Mark {
				t.Errorf("%+v", got)
			}
			for log, records := range g.decisions(t) {
				if len(records) != 1 || records[0].Allow || records[0].GrantDigest != "" {
					t.Errorf("log %s: %+v", log, records)
				}
				if diff := cmp.Diff(tt.want, records[0].Reasons); diff != "" {
					t.Errorf("log %s: reasons (-want +got):\n%s", log, diff)
				}
			}
		})
	}
}
