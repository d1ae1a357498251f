package audit_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/audit"
)

// ocsfSchema is our excerpt of OCSF's own.
func ocsfSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile("testdata/ocsf.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("ocsf.schema.json", v); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("ocsf.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEveryEventInOCSFHasWhatItsClassRequires(t *testing.T) {
	t.Parallel()
	schema := ocsfSchema(t)
	dir := t.TempDir()
	l := openLogs(t, audit.Config{Key: signingKey, Dir: dir}, "us-defense", "fr-space")
	start := authz.Record{Type: "start", DecisionID: "start", Time: authz.At(noon)}
	job := decision("job", false, "us-defense")
	job.Accesses[0].Action, job.Accesses[0].Resource = "execute", "job:us-defense"
	bucket := decision("bucket", true, "us-defense")
	bucket.Accesses[0].Action, bucket.Accesses[0].Resource = "list", "s3://us-defense-plans"
	v6 := nobody("nobody", "2001:db8::1")
	v6.Request = nil
	mustAppend(t, l, start, job, bucket, v6, decision("two", true, "us-defense", "fr-space"), decision("none", false),
		secret("hidden", "/subject/id", "/resource/id", "/context/source/address"), secret("all hidden"))
	for _, verb := range []string{"read", "create", "update", "delete", "relabel", "administer"} {
		r := decision(verb, true, "us-defense")
		r.Accesses[0].Action = verb
		mustAppend(t, l, r)
	}
	var out bytes.Buffer
	e, err := audit.NewExporter("ocsf", &out)
	if err != nil {
		t.Fatal(err)
	}
	if err := audit.Read(dir, e.Write); err != nil {
		t.Fatal(err)
	}
	classes := map[float64]int{}
	for line := range bytes.Lines(out.Bytes()) {
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(line))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%v\n%s", err, line)
		}
		var event struct {
			Class    float64 `json:"class_uid"`
			Activity float64 `json:"activity_id"`
			Type     float64 `json:"type_uid"`
		}
		if err := json.Unmarshal(line, &event); err != nil || event.Type != event.Class*100+event.Activity {
			t.Errorf("%v: type_uid is not of class and activity: %s", err, line)
		}
		classes[event.Class]++
	}
	if classes[6003] != 6 || classes[6005] != 9 {
		t.Errorf("classes: %v", classes)
	}
	for _, bad := range []string{`{}`, `{"class_uid": 6005}`} { // the schema refuses
		v, _ := jsonschema.UnmarshalJSON(bytes.NewReader([]byte(bad)))
		if schema.Validate(v) == nil {
			t.Errorf("%s is valid", bad)
		}
	}
}
