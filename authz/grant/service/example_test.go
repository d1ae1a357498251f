package service_test

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/sallyport-dev/sallyport/authz/grant/service"
)

// maxBody is the longest body that this service reads.
const maxBody = 64 << 10

// This is the snippet of README.md; a test compares them.
func Example() {
	publicKeys, err := os.ReadFile("testdata/keys.json")
	if err != nil {
		log.Fatal(err)
	}
	verifier, err := service.New(service.Config{
		Issuer: "sallyport", Audience: "jobs", Keys: publicKeys, Started: time.Now(),
	})
	if err != nil {
		log.Fatal(err)
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			http.Error(w, "the body is too long", http.StatusRequestEntityTooLarge)
			return
		}
		grant, err := verifier.Verify(r, body)
		var refused *service.Error
		if errors.As(err, &refused) {
			status := http.StatusForbidden
			if refused.Problem == service.Full {
				status = http.StatusServiceUnavailable
			}
			http.Error(w, err.Error(), status)
			return
		}
		// Do what grant.Accesses, grant.Enclave and grant.Limits say, and nothing that only the body says.
		fmt.Fprintln(w, "decided by", grant.DecisionID)
	})

	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/v1/jobs", nil))
	fmt.Print(answer.Code, " ", answer.Body)
	// Output: 403 grant refused, missing: the request has no header X-Sallyport-Grant
}
