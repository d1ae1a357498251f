package demo

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
)

// question is one request of the tour and what must be decided: an allow if there are no reasons.
type question struct {
	who     string
	what    string // short, for the table
	method  string
	path    string // with the query
	source  string // of a copy
	purpose string // as the client says
	body    string
	token   func(Claims) // changes the claims before they are signed
	reasons []authz.Reason

	stored int    // requests that reach the store by the decision, if it is an allow
	served int    // requests that reach the job service; if any, it is the one that is asked
	of     bool   // asks for the last job, whose end is awaited and whose id goes behind the path
	says   string // is in the answer
}

const stranger = "nobody" // comes without a token

// questions is the tour: a part of the tables of what must be decided, at least one question for each of the eleven people and
// each kind of refusal. run makes the names of written objects new each time.
func questions(run string) []question {
	read := func(who, row string, reasons ...authz.Reason) question {
		return question{who: who, what: "read " + row, method: http.MethodGet, path: "/" + row + welcomeObject, reasons: reasons, stored: 1}
	}
	list := func(who, bucket, prefix string, reasons ...authz.Reason) question {
		return question{who: who, what: "list " + bucket + "/" + prefix, method: http.MethodGet,
			path: "/" + bucket + "?list-type=2&prefix=" + strings.ReplaceAll(prefix, "/", "%2F"), reasons: reasons, stored: 1}
	}
	write := func(who, row string, reasons ...authz.Reason) question {
		return question{who: who, what: "write " + row, method: http.MethodPut, path: "/" + row + "tour-" + run + ".txt",
			body: "written on a tour\n", reasons: reasons, stored: 1}
	}
	copied := func(who, what, from, to string, reasons ...authz.Reason) question {
		return question{who: who, what: "copy " + what, method: http.MethodPut, path: "/" + to + "tour-" + run + "-copy.txt",
			source: "/" + from + welcomeObject, reasons: reasons, stored: 1}
	}
	// A job runs the row's own module on its welcome.txt, and writes a report beside it.
	report := "tour-" + run + "-report.txt"
	job := func(who, row, enclave string, reasons ...authz.Reason) question {
		bucket, _, _ := strings.Cut(row, "/")
		queue := bucket[:strings.LastIndexByte(bucket, '-')] // is called like the tenant
		return question{who: who, what: "run " + strings.TrimPrefix(row, queue+"-") + " in " + enclave, method: http.MethodPost, path: "/v1/jobs", served: 1, stored: 3,
			body: fmt.Sprintf(`{"module": "s3://%[1]s%[2]s", "inputs": ["s3://%[1]s%[3]s"], "outputs": ["s3://%[1]s%[4]s"], "enclave": %[5]q, "queue": %[6]q}`,
				row, moduleObject, welcomeObject, report, enclave, queue), reasons: reasons}
	}
	with := func(q question, token func(Claims)) question { q.token = token; return q }
	emergency := func(q question) question {
		q.what, q.purpose = "read in an emergency", authz.BreakGlass+":PRODUCTION_ALERT"
		return q
	}
	expired := func(c Claims) {
		past := time.Now().Add(-2 * time.Hour)
		c["iat"], c["auth_time"], c["exp"] = past.Unix(), past.Unix(), past.Add(time.Hour).Unix()
	}
	return []question{
		read("sam", "us-defense-plans/"),
		read("sam", "us-defense-plans/noforn/"),
		write("sam", "us-defense-plans/"),
		copied("sam", "us-defense-plans/ → noforn/", "us-defense-plans/", "us-defense-plans/noforn/"),
		copied("sam", "noforn/ → us-defense-plans/", "us-defense-plans/noforn/", "us-defense-plans/", "flow.write_down"),
		read("uma", "us-defense-plans/", "clearance.level"),
		read("uma", "us-defense-parts/"),
		read("gina", "us-defense-plans/"), // GBR SECRET reaches USA SECRET by a row of the agreement
		read("gina", "us-defense-plans/noforn/", "release.nation"),
		list("gina", "us-defense-plans", "", "release.nation"), // the root of a bucket reveals every row under it
		read("gina", "us-defense-parts/", "export.foreign_person", "release.nation"),
		write("gina", "us-defense-plans/", "action.not_granted"),
		read("claire", "fr-space-missions/"),
		read("claire", "us-defense-plans/", "tenant.mismatch"),
		read("luc", "fr-space-missions/", "category.restrictive"),
		read("luc", "fr-space-missions/joint/"),
		read("dieter", "fr-space-missions/", "category.restrictive", "release.nation"),
		list("dieter", "fr-space-missions", "joint/"),
		read("moana", "nz-fire-maps/briefings/"),
		copied("moana", "nz-fire-maps/ → briefings/", "nz-fire-maps/", "nz-fire-maps/briefings/", "flow.write_down"),
		read("noah", "ca-housing-loans/"),
		copied("noah", "ca-housing-loans/ → offsite/", "ca-housing-loans/", "ca-housing-offsite/", "jurisdiction.residency"),
		read("olga", "us-defense-plans/"), // by the tenant's approval
		read("olga", "ca-housing-loans/", "personnel.eligibility", "personnel.unapproved"),
		read("otto", "us-defense-plans/", "personnel.unapproved"),
		emergency(read("otto", "us-defense-plans/")), // allowed without approval, and counted as what it is
		emergency(read("olga", "us-defense-plans/noforn/", "personnel.unapproved")),
		read("eve", "us-defense-plans/", "clearance.issuer", "identity.issuer"),
		read(stranger, "us-defense-plans/", "identity.missing"),
		with(read("sam", "us-defense-plans/", "identity.expired"), expired),
		job("sam", "us-defense-plans/", "iad-1"),
		{who: "sam", what: "ask how that job went", method: http.MethodGet, path: "/v1/jobs/", served: 1, of: true, says: `"state":"succeeded"`},
		{who: "sam", what: "read what it wrote", method: http.MethodGet, path: "/us-defense-plans/" + report, stored: 1, says: "input 0: 1 lines, "},
		job("sam", "us-defense-plans/", "iad-0", "enclave.ceiling"),
		job("claire", "fr-space-missions/", "par-2", "jurisdiction.legal_control"), // in Paris, under US law
		job("noah", "ca-housing-loans/", "iad-0", "jurisdiction.processing"),
		job("dieter", "fr-space-missions/joint/", "par-1", "action.not_granted"),
	}
}
