package doctor

import "encoding/json"

// SARIF returns findings in the Static Analysis Results Interchange Format 2.1.0 of OASIS, which code hosts and editors show.
func SARIF(found []Finding, version string) ([]byte, error) {
	type text struct {
		Text string `json:"text"`
	}
	type rule struct {
		ID    string `json:"id"`
		Short text   `json:"shortDescription"`
		Full  text   `json:"fullDescription"`
		Help  text   `json:"help"`
	}
	type region struct {
		StartLine int `json:"startLine"`
	}
	type artifact struct {
		URI string `json:"uri"`
	}
	type physical struct {
		Artifact artifact `json:"artifactLocation"`
		Region   *region  `json:"region,omitempty"`
	}
	type location struct {
		Physical physical `json:"physicalLocation"`
	}
	type result struct {
		RuleID    string     `json:"ruleId"`
		Level     string     `json:"level"`
		Message   text       `json:"message"`
		Locations []location `json:"locations"`
	}
	rules := []rule{}
	for _, id := range IDs() {
		e := Describe(id)
		rules = append(rules, rule{id, text{e.Title}, text{e.Why}, text{e.Fix}})
	}
	results := []result{}
	for _, f := range found {
		at := physical{Artifact: artifact{f.File}}
		if f.Line > 0 {
			at.Region = &region{f.Line}
		}
		level := "error"
		if f.Risk == Outage {
			level = "warning"
		}
		results = append(results, result{f.ID, level, text{f.Detail + ": " + f.Why + ". " + f.Fix}, []location{{at}}})
	}
	return json.MarshalIndent(map[string]any{
		"$schema": "https://json.schemastore.org/sarif-2.1.0.json",
		"version": "2.1.0",
		"runs": []any{map[string]any{
			"tool":    map[string]any{"driver": map[string]any{"name": "sallyport doctor", "version": version, "rules": rules}},
			"results": results,
		}},
	}, "", "  ")
}
