package demo

import (
	"bytes"
	_ "embed"
	"fmt"
	"os"
	"text/template"
)

//go:embed sallyport.yaml.tmpl
var gatewayTemplate string

// gatewayConfig returns the gateway's config, as a user would write it.
func gatewayConfig(l Layout, p Ports, tenants []string) ([]byte, error) {
	t, err := template.New("sallyport.yaml").Funcs(template.FuncMap{"quote": quote}).Parse(gatewayTemplate)
	if err != nil {
		return nil, fmt.Errorf("template of the gateway's config: %w", err)
	}
	var b bytes.Buffer
	err = t.Execute(&b, struct {
		Layout                         Layout
		ID, StorageHost, StorageRegion string
		JobsAudience                   string
		UID                            int
		HTTP                           string
		Tenants                        []string
	}{l, gatewayID, storageHost, storageRegion, jobsAudience, os.Getuid(), p.address(p.HTTP), tenants})
	if err != nil {
		return nil, fmt.Errorf("the gateway's config: %w", err)
	}
	return b.Bytes(), nil
}
