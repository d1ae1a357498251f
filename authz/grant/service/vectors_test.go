package service_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"flag"
	"math/big"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz/grant/service"
)

var update = flag.Bool("update", false, "write testdata/vectors.json again")

const vectorFile = "testdata/vectors.json"

// vectors is the file by which other verifiers can be tested. Each vector meets a verifier that has taken nothing yet.
type vectors struct {
	Note        string          `json:"note"`
	Issuer      string          `json:"issuer"`
	Audience    string          `json:"audience"`
	Started     int64           `json:"started"` // Unix seconds
	SkewSeconds int64           `json:"skew_seconds"`
	Keys        json.RawMessage `json:"keys"` // JWK set
	Vectors     []vector        `json:"vectors"`
}

type vector struct {
	Name      string   `json:"name"`
	Want      string   `json:"want"` // the problem; "" of a grant that is taken
	Now       int64    `json:"now"`
	Method    string   `json:"method"`
	Authority string   `json:"authority"`
	Path      string   `json:"path"`
	Body      string   `json:"body"`
	Headers   []string `json:"headers"` // values of x-sallyport-grant
}

// The world of the vectors: a service that started at 1,800,000,000 and a grant of 100 s later.
const (
	started = 1_800_000_000
	issued  = started + 100
	skew    = 5
	body    = `{"module": "…"}`
)

// keyOf returns a key that everybody can make again. Nothing but tests may trust it.
func keyOf(name string) *ecdsa.PrivateKey {
	d := sha256.Sum256([]byte("sallyport test key " + name))
	k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), d[:])
	if err != nil {
		panic(err)
	}
	return k
}

// publicJWK returns the public key of that name as a JWK whose kid is the name.
func publicJWK(name string) string {
	point, err := keyOf(name).PublicKey.Bytes() // 4, X, Y
	if err != nil {
		panic(err)
	}
	enc := base64.RawURLEncoding.EncodeToString
	return `{"kty":"EC","crv":"P-256","x":"` + enc(point[1:33]) + `","y":"` + enc(point[33:]) + `","alg":"ES256","use":"sig","kid":"` + name + `"}`
}

func jwks(keys ...string) []byte { return []byte(`{"keys":[` + strings.Join(keys, ",") + `]}`) }

// sign returns a compact JWS with the deterministic signature of RFC 6979.
func sign(key *ecdsa.PrivateKey, header, payload string) string {
	signed := encode(header) + "." + encode(payload)
	sum := sha256.Sum256([]byte(signed))
	der, err := key.Sign(nil, sum[:], crypto.SHA256)
	if err != nil {
		panic(err)
	}
	var s struct{ R, S *big.Int }
	if _, err := asn1.Unmarshal(der, &s); err != nil {
		panic(err)
	}
	return signed + "." + signature(s.R, s.S)
}

func signature(r, s *big.Int) string {
	var raw [64]byte
	r.FillBytes(raw[:32])
	s.FillBytes(raw[32:])
	return encode(string(raw[:]))
}

func encode(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

const headerA = `{"alg":"ES256","kid":"a","typ":"sallyport-grant+jwt"}`

// claims are those of a grant for the job of body.
func claims() service.Grant {
	sum := sha256.Sum256([]byte(body))
	return service.Grant{
		Issuer: "sallyport", Audience: "jobs", Subject: "usa|sam", DecisionID: "0123456789abcdef0123456789abcdef",
		IssuedAt: issued, Expires: issued + 30,
		Method: "POST", Authority: "compute.sallyport.test", Path: "/v1/jobs", BodySHA256: hex.EncodeToString(sum[:]),
		Tenant: "us-defense", Enclave: "iad-1", Operation: "StartJob",
		Accesses: []service.Access{
			{Operation: "StartJob", URI: "job:us-defense"},
			{Operation: "ReadModule", URI: "s3://us-defense-plans/module.wasm", URL: "http://storage.sallyport.test/us-defense-plans/module.wasm?X-Amz-Signature=0"},
		},
		Limits: service.Limits{Seconds: 30, MemoryBytes: 64 << 20, OutputBytes: 64 << 20},
	}
}

// payload returns the claims as JSON, after changes.
func payload(changes ...func(*service.Grant)) string {
	g := claims()
	for _, c := range changes {
		c(&g)
	}
	b, err := json.Marshal(g)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// grant returns a grant signed by a, after changes.
func grant(changes ...func(*service.Grant)) string {
	return sign(keyOf("a"), headerA, payload(changes...))
}

// other returns the second valid signature of the same grant: of (r, s) also (r, n-s) verifies.
func other(compact string) string {
	i := strings.LastIndexByte(compact, '.')
	raw, err := base64.RawURLEncoding.DecodeString(compact[i+1:])
	if err != nil {
		panic(err)
	}
	s := new(big.Int).SetBytes(raw[32:])
	return compact[:i+1] + signature(new(big.Int).SetBytes(raw[:32]), s.Sub(elliptic.P256().Params().N, s))
}

// edited returns the grant of another text.
func edited(text, old, new string) string {
	s := strings.Replace(text, old, new, 1)
	if s == text {
		panic("no " + old)
	}
	return s
}

func makeVectors() vectors {
	v := vectors{
		Note:   "Made by go test ./authz/grant/service -update; the keys are made from their names, never trust them. See vectors_test.go.",
		Issuer: "sallyport", Audience: "jobs", Started: started, SkewSeconds: skew, Keys: jwks(publicJWK("a"), publicJWK("b")),
	}
	request := vector{Now: issued, Method: "POST", Authority: "compute.sallyport.test", Path: "/v1/jobs", Body: body}
	add := func(name, want string, change func(*vector), headers ...string) {
		x := request
		x.Name, x.Want, x.Headers = name, want, headers
		if change != nil {
			change(&x)
		}
		v.Vectors = append(v.Vectors, x)
	}
	at := func(now int64) func(*vector) { return func(x *vector) { x.Now = now } }
	claim := func(old, new string) string { return sign(keyOf("a"), headerA, edited(payload(), old, new)) }
	header := func(h string) string { return sign(keyOf("a"), h, payload()) }
	good := grant()
	parts := strings.Split(good, ".")

	add("a grant for this request", "", nil, good)
	add("signed by another of the keys", "", nil, sign(keyOf("b"), edited(headerA, `"a"`, `"b"`), payload()))
	add("members in another order", "", nil, sign(keyOf("a"), `{"typ":"sallyport-grant+jwt","kid":"a","alg":"ES256"}`, payload()))
	add("the other signature of the same grant, which is the same grant", "", nil, other(good))
	add("of a request without a body", "", func(x *vector) { x.Method, x.Path, x.Body = "GET", "/v1/jobs/q.00?x=1", "" }, grant(func(g *service.Grant) {
		sum := sha256.Sum256(nil)
		g.Method, g.Path, g.BodySHA256, g.Enclave, g.Accesses = "GET", "/v1/jobs/q.00?x=1", hex.EncodeToString(sum[:]), "", []service.Access{}
	}))
	add("in the last second of its life and the skew", "", at(issued+34), good)
	add("issued as far in the future as the skew", "", at(issued-5), good)
	add("issued in the first second that counts", "", at(started+5), grant(func(g *service.Grant) { g.IssuedAt, g.Expires = started+5, started+6 }))

	add("no grant", "missing", nil)
	add("an empty grant", "malformed", nil, "")
	add("two grants", "malformed", nil, good, good)
	add("two grants in one header", "malformed", nil, good+", "+good)
	add("a grant with a scheme before it", "malformed", nil, "Bearer "+good)
	add("two parts", "malformed", nil, parts[0]+"."+parts[1])
	add("four parts", "malformed", nil, good+".")
	add("padded base64", "malformed", nil, parts[0]+"."+parts[1]+"."+parts[2]+"==")
	add("base64 of another alphabet", "malformed", nil, parts[0]+"."+parts[1]+"+."+parts[2])
	add("a line break in base64", "malformed", nil, parts[0]+"\n."+parts[1]+"."+parts[2])
	add("bits behind the last byte", "malformed", nil, sign(keyOf("a"), headerA+" ", payload())+"x")
	add("a grant beyond 32 KiB", "malformed", nil, grant(func(g *service.Grant) { g.Tenant = strings.Repeat("x", 25_000) }))
	add("the JSON form of a JWS", "malformed", nil, `{"payload":"`+parts[1]+`","protected":"`+parts[0]+`","signature":"`+parts[2]+`"}`)

	add("no header members", "malformed", nil, header(`{}`))
	add("a header that is no JSON", "malformed", nil, header(`x`))
	add("a repeated header member", "malformed", nil, header(edited(headerA, `"kid":"a"`, `"kid":"b","kid":"a"`)))
	add("a key in the header", "malformed", nil, header(edited(headerA, `"kid"`, `"jwk":`+publicJWK("c")+`,"kid"`)))
	add("a key's place in the header", "malformed", nil, header(edited(headerA, `"kid"`, `"jku":"https://keys.example/","kid"`)))
	add("an extension that must be understood", "malformed", nil, header(edited(headerA, `"kid"`, `"crit":["b64"],"b64":false,"kid"`)))
	add("a header member in another case", "malformed", nil, header(edited(headerA, `"typ"`, `"Typ"`)))
	add("no kid", "malformed", nil, header(edited(headerA, `"kid":"a",`, "")))
	add("a token for something else", "type", nil, header(edited(headerA, "sallyport-grant+jwt", "at+jwt")))
	add("a type in another case", "type", nil, header(edited(headerA, "sallyport-grant+jwt", "SALLYPORT-GRANT+JWT")))
	add("no algorithm", "algorithm", nil, encode(edited(headerA, "ES256", "none"))+"."+parts[1]+".")
	add("a symmetric algorithm", "algorithm", nil, header(edited(headerA, "ES256", "HS256")))
	add("another algorithm of the curve's family", "algorithm", nil, header(edited(headerA, "ES256", "ES384")))
	add("an unknown kid", "key", nil, sign(keyOf("c"), edited(headerA, `"a"`, `"c"`), payload()))
	add("an empty kid", "key", nil, header(edited(headerA, `"a"`, `""`)))
	add("signed by another key than it names", "signature", nil, sign(keyOf("b"), headerA, payload()))
	add("signed by a key that nobody knows", "signature", nil, sign(keyOf("c"), headerA, payload()))
	add("an empty signature", "signature", nil, parts[0]+"."+parts[1]+".")
	add("a signature of zeros", "signature", nil, parts[0]+"."+parts[1]+"."+signature(new(big.Int), new(big.Int)))
	add("a signature in DER", "signature", nil, parts[0]+"."+parts[1]+"."+encode("\x30\x06\x02\x01\x01\x02\x01\x01"))
	add("a signature with a byte too many", "signature", nil, parts[0]+"."+parts[1]+"."+encode(decode(parts[2])+"\x00"))
	add("claims of another grant", "signature", nil, parts[0]+"."+encode(payload(func(g *service.Grant) { g.Tenant = "fr-space" }))+"."+parts[2])

	add("claims that are no object", "malformed", nil, sign(keyOf("a"), headerA, "[]"))
	add("claims with bytes behind", "malformed", nil, sign(keyOf("a"), headerA, payload()+"{}"))
	add("a repeated claim", "malformed", nil, claim(`"tenant":`, `"tenant":"fr-space","tenant":`))
	add("a repeated member of an access", "malformed", nil, claim(`"uri":`, `"uri":"s3://a/b","uri":`))
	add("an unknown claim", "malformed", nil, claim(`"tenant":`, `"nbf":0,"tenant":`))
	add("a claim in another case", "malformed", nil, claim(`"tenant":`, `"Tenant":`))
	add("a missing claim", "malformed", nil, claim(`"tenant":"us-defense",`, ""))
	add("several audiences", "malformed", nil, claim(`"aud":"jobs"`, `"aud":["jobs"]`))
	add("a time that is no whole number", "malformed", nil, claim(`"exp":1800000130`, `"exp":1.80000013e9`))
	add("a time as a text", "malformed", nil, claim(`"exp":1800000130`, `"exp":"1800000130"`))
	add("null for a list", "malformed", nil, grant(func(g *service.Grant) { g.Accesses = nil }))
	add("no id to remember", "malformed", nil, grant(func(g *service.Grant) { g.DecisionID = "" }))
	add("an id too long to remember", "malformed", nil, grant(func(g *service.Grant) { g.DecisionID = strings.Repeat("0", 129) }))

	add("another gateway's", "issuer", nil, grant(func(g *service.Grant) { g.Issuer = "sallyport-2" }))
	add("another service's", "audience", nil, grant(func(g *service.Grant) { g.Audience = "storage" }))
	add("a life of 31 seconds", "life", nil, grant(func(g *service.Grant) { g.Expires = issued + 31 }))
	add("no life", "life", nil, grant(func(g *service.Grant) { g.Expires = issued }))
	add("a life that ends before it begins", "life", nil, grant(func(g *service.Grant) { g.Expires = issued - 1 }))
	add("a life beyond what can be counted", "life", nil, grant(func(g *service.Grant) { g.IssuedAt, g.Expires = -1<<63, 1<<63-1 }))
	add("issued in the future", "early", at(issued-6), good)
	add("expired", "expired", at(issued+35), good)
	add("issued before the service started", "stale", at(started), grant(func(g *service.Grant) { g.IssuedAt, g.Expires = started-1, started+29 }))
	add("issued so soon after the start that another clock may mean before", "stale", at(started+4), grant(func(g *service.Grant) { g.IssuedAt, g.Expires = started+4, started+34 }))

	add("another method", "request", func(x *vector) { x.Method = "PUT" }, good)
	add("another authority", "request", func(x *vector) { x.Authority = "compute.sallyport.test:80" }, good)
	add("another path", "request", func(x *vector) { x.Path = "/v1/jobs/" }, good)
	add("another spelling of the path", "request", func(x *vector) { x.Path = "/v1/job%73" }, good)
	add("a query", "request", func(x *vector) { x.Path = "/v1/jobs?" }, good)
	add("another body", "body", func(x *vector) { x.Body += " " }, good)
	add("no body", "body", func(x *vector) { x.Body = "" }, good)
	add("a digest in capitals", "body", nil, grant(func(g *service.Grant) { g.BodySHA256 = strings.ToUpper(g.BodySHA256) }))
	return v
}

func decode(part string) string {
	b, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func TestVectors(t *testing.T) {
	made, err := json.MarshalIndent(makeVectors(), "", " ")
	if err != nil {
		t.Fatal(err)
	}
	made = append(made, '\n')
	if *update {
		for file, b := range map[string][]byte{vectorFile: made, "testdata/keys.json": append(jwks(publicJWK("a")), '\n')} {
			if err := os.WriteFile(file, b, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	file, err := os.ReadFile(vectorFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(made), string(file)); diff != "" {
		t.Fatalf("%s is not what this test makes; run it with -update (-made +file):\n%s", vectorFile, diff)
	}
	var all vectors
	if err := json.Unmarshal(file, &all); err != nil {
		t.Fatal(err)
	}
	for _, x := range all.Vectors {
		t.Run(x.Name, func(t *testing.T) {
			t.Parallel()
			v, err := service.New(service.Config{
				Issuer: all.Issuer, Audience: all.Audience, Keys: all.Keys, Started: time.Unix(all.Started, 0),
				Skew: time.Duration(all.SkewSeconds) * time.Second, Now: func() time.Time { return time.Unix(x.Now, 0) },
			})
			if err != nil {
				t.Fatal(err)
			}
			r := httptest.NewRequest(x.Method, x.Path, nil)
			r.Host = x.Authority
			for _, h := range x.Headers {
				r.Header.Add(service.Header, h)
			}
			g, err := v.Verify(r, []byte(x.Body))
			var problem *service.Error
			switch {
			case x.Want == "" && (err != nil || g.DecisionID != claims().DecisionID):
				t.Errorf("%+v, %v; want it taken", g, err)
			case x.Want != "" && (!errors.As(err, &problem) || string(problem.Problem) != x.Want):
				t.Errorf("%v; want %s", err, x.Want)
			case x.Want != "":
				if diff := cmp.Diff(service.Grant{}, g); diff != "" {
					t.Errorf("a refused grant is returned (-want +got):\n%s", diff)
				}
				quiet(t, err, x.Headers...)
			}
		})
	}
}

// quiet fails if err repeats a part of what it is about.
func quiet(t *testing.T, err error, grants ...string) {
	t.Helper()
	secrets := []string{"X-Amz-Signature", "us-defense", "0123456789abcdef"}
	for _, g := range grants {
		for _, part := range strings.Split(g, ".") {
			if len(part) > 16 {
				secrets = append(secrets, part[:16])
			}
		}
	}
	for _, s := range secrets {
		if strings.Contains(err.Error(), s) {
			t.Errorf("error %q repeats %q of the grant", err, s)
		}
	}
}
