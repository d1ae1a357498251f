package routed

import (
	"slices"
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
)

// credentials are headers by which a client shows who it is. No upstream gets them: it would be one more place to steal them from, and
// who asks is said by the grant.
var credentials = []string{"authorization", "proxy-authorization", "cookie", "dpop", "x-amz-security-token"}

// claims are the headers by which front ends tell upstreams who asks, alone or with more behind a hyphen: x-user, x-user-id. A client
// that sends one would be believed by an upstream that trusts whatever comes from Envoy.
var claims = []string{
	"remote-user", "ssl-client", "x-ssl-client", "x-client-cert", "x-sallyport", "x-auth", "x-authenticated", "x-clearance", "x-clearances", "x-country",
	"x-email", "x-forwarded-access-token", "x-forwarded-email", "x-forwarded-groups", "x-forwarded-preferred-username", "x-forwarded-user",
	"x-goog-authenticated-user", "x-goog-iap", "x-amzn-oidc", "x-group", "x-groups", "x-identity", "x-ms-client-principal", "x-nation",
	"x-nationality", "x-principal", "x-role", "x-roles", "x-subject", "x-tenant", "x-token", "x-user", "x-userid", "x-username",
}

// Removed returns the client's headers that must not go upstream, sorted: its credentials, and what only a gateway says. It always names
// the two in which a token can have come, so that a grant removes them whatever was read.
func Removed(headers authz.Headers) []string {
	names := []string{"authorization", "x-amz-security-token"}
	for _, h := range headers {
		if slices.Contains(credentials, h.Name) || slices.ContainsFunc(claims, func(c string) bool {
			more, is := strings.CutPrefix(h.Name, c)
			return is && (more == "" || more[0] == '-')
		}) {
			names = append(names, h.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// RemovedExpression is a regular expression of the names that Removed can return, for the rules by which Envoy holds the gateway to what it
// may do to a request.
func RemovedExpression() string {
	return strings.Join(credentials, "|") + "|(" + strings.Join(claims, "|") + ")(-.+)?"
}
