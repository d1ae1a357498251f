package guardrail

import (
	"regexp"
	"strings"
)

// exception says which fields of the input may be missing, and why that is right.
type exception struct {
	fields *regexp.Regexp // of the whole path
	when   func(witness) bool
	why    string
}

// exceptions are by design. Everything else that is missing, null or of the wrong type must deny.
var exceptions = []exception{
	{fields(`action\.properties\.(protocol|operation|to\.row)|resource\.id|context\.(gateway\.id|purpose|source\.(address|principal|network))`), always,
		"for the record: policy decides on the access, not on how it was asked for"},
	{fields(`context\.freshness\.(bundle_age|revocation_serial)`), always,
		"for the record: manifests say until when a bundle holds, and the age of revocations is judged by itself"},
	{fields(`context\.freshness\.revocation_age`), always, "judged where the root limits that age; I-23 tries it with a limit"},
	{fields(`subject\.properties\.(held_nationalities|assurance\.(acr|amr|age_seconds))`), always,
		"adverse or for the record: no licence fact names them yet, so that they open nothing"},
	{fields(`.*clearances\.\d+\.(native|sponsor)|subject\.properties\.via\.\d+\.(type|id)|context\.approvals\.\d+\.id|.*constraints\.personal_data`), always,
		"for the record: what they say is judged elsewhere (levels, the cut, clearances of the chain, approvals, the other rules)"},
	{fields(`.*\.display`), always, "a display list lets others see; without one nobody else is shown anything"},
	{fields(`action\.properties\.from`), isNot("create", "update"), "only what writes has sources"},
	{fields(`action\.properties\.request_labels`), isNot("create", "update", "relabel"), "only what writes or relabels asks for labels"},
	{fields(`action\.properties\.from\.\d+\.(row|tenant|owner\.nation)`), always, "the invented originator consents to himself: the consent on file proves the same owner"},
	{fields(`subject\.properties\.(session.*)`), isNot("create", "update"), "a session's height binds what is written"},
	{fields(`subject\.properties\.roles`), isNot("relabel"), "a role is asked for where membership does not give the verb"},
	{fields(`subject\.properties\.tenant`), kind("partner", "provider"), "a guest is of no tenant, and null says so"},
	{fields(`subject\.properties\.nationalities`), func(w witness) bool { return !kind("provider")(w) && !carriesAny(w, "HOME", "ABORN") },
		"asked for by tags and personnel rules alone"},
	{fields(`subject\.properties\.affiliation\.organization`), func(w witness) bool { return kind("tenant")(w) && !carriesAny(w, "ASK") || onQueue(w) }, "asked for by partner grants and consents alone"},
	{fields(`subject\.properties\.clearances\.\d+\.categories`), kind("partner"), "a translated clearance holds what the equivalence lists, and nothing of its own"},
	{fields(`subject\.properties\.affiliation\.country`), onQueue, "a queue gives no content away"},
	{fields(`context\.approvals`), kind("tenant", "partner"), "approvals are the provider's"},
	{fields(`resource\.properties\.hold`), isNot("delete"), "a hold forbids deletion alone"},
	{fields(`resource\.type`), func(w witness) bool { return !kind("partner")(w) && !onQueue(w) }, "what is no queue is data"},
	{fields(`action\.properties\.to\.enclave`), func(w witness) bool {
		return w.in.Action.Properties.To.Kind == "client" || !isNot("create", "update")(w)
	},
		"a client is in no enclave, and what is written rests where the row says"},
	{fields(`context\.source.*|resource\.properties\.constraints\.egress`), func(w witness) bool { return w.in.Action.Properties.To.Kind != "client" && !kind("provider")(w) },
		"what does not leave to the client leaves nowhere"},
	{fields(`resource\.properties\.constraints\.export\.destinations`), func(w witness) bool { return !isNot("create", "update")(w) }, "what is written goes nowhere"},
	{fields(`resource\.properties\.constraints\.processing`), func(w witness) bool { return w.in.Action.Properties.To.Kind != "enclave" }, "only a job processes"},
	{fields(`subject\.properties\.(clearances|via|communities|export_status|nationalities).*|resource\.properties\.(constraints|place|hold).*|context\.source.*`), onQueue,
		"starting a job or asking how it went gives no content away; its reads and writes are judged by themselves"},
}

// nullable are fields in which null is a value: no release list is the owner alone, which the invented member is of, and the invented
// consents are of a resource in a row.
var nullable = []string{"release"}

func fields(pattern string) *regexp.Regexp { return regexp.MustCompile("^(" + pattern + ")$") }

func always(witness) bool { return true }

func isNot(verbs ...string) func(witness) bool {
	return func(w witness) bool {
		return !strings.Contains(" "+strings.Join(verbs, " ")+" ", " "+w.in.Action.Name+" ")
	}
}

func kind(kinds ...string) func(witness) bool {
	return func(w witness) bool {
		return strings.Contains(" "+strings.Join(kinds, " ")+" ", " "+w.in.Subject.Properties.Affiliation.Kind+" ")
	}
}

func onQueue(w witness) bool { return w.in.Resource.Type == "job" }

func carriesAny(w witness, tags ...string) bool {
	for _, l := range w.in.Resource.Properties.Labels {
		for _, tag := range tags {
			if carries(l, tag) {
				return true
			}
		}
	}
	return false
}

// excepted reports whether a field may be missing in w.
func excepted(w witness, field string) bool {
	for _, e := range exceptions {
		if e.fields.MatchString(field) && e.when(w) {
			return true
		}
	}
	return false
}
