package resource_test

import (
	"encoding/json"
	"fmt"

	"github.com/sallyport-dev/sallyport/authz"
	"github.com/sallyport-dev/sallyport/authz/resource"
)

func ExampleCatalogue_Resolve() {
	catalogue, err := resource.New(resource.Documents{Tenants: json.RawMessage(`{"us-defense": {"catalogue": {"rows": {
		"us-defense-plans/": {"service": "s3"}, "us-defense-plans/noforn/": {"service": "s3"}}}}}`)}, resource.Limits{Accesses: 1000})
	if err != nil {
		panic(err)
	}
	resolution, err := catalogue.Resolve(authz.Request{
		Method: "GET", Host: "127.0.0.1:10000", Path: "/us-defense-plans", Query: "list-type=2",
		Extensions: map[string]string{"service": "s3", "audience": "storage", "region": "us-east-1", "body": "absent"},
	})
	if err != nil {
		panic(err)
	}
	for _, a := range resolution.Accesses {
		fmt.Println(resolution.Operation, a.Action.Name, a.Resource.ID, *a.Resource.Properties.Row)
	}
	// Output:
	// ListObjectsV2 list s3://us-defense-plans/ us-defense-plans/
	// ListObjectsV2 list s3://us-defense-plans/ us-defense-plans/noforn/
}
