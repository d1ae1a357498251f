package s3_test

import (
	"flag"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/sallyport-dev/sallyport/authz/resource/s3"
)

var update = flag.Bool("update", false, "write OPERATIONS.md")

func TestOperationsDocIsTheTable(t *testing.T) {
	want := s3.OperationsDoc()
	if *update {
		if err := os.WriteFile("OPERATIONS.md", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile("OPERATIONS.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(have)); diff != "" {
		t.Errorf("OPERATIONS.md is not the table, run: go test ./authz/resource/s3 -run OperationsDoc -update (-table +file):\n%s", diff)
	}
}

func TestNoTwoOperationsFitOneRequest(t *testing.T) {
	if a, b := s3.Overlapping(); a != "" {
		t.Errorf("one request can be %s and %s", a, b)
	}
}
