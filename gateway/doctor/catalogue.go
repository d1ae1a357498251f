package doctor

import (
	"maps"
	"slices"
)

// Entry is what is known of a finding wherever it is found.
type Entry struct {
	Risk            Risk
	Title, Why, Fix string
}

// IDs are those of all findings, in order.
func IDs() []string { return slices.Sorted(maps.Keys(catalogue)) }

// Describe returns the entry of a finding.
func Describe(id string) Entry { return catalogue[id] }

var catalogue = map[string]Entry{
	"admin.exposed": {
		Bypass, "the admin interface can be reached",
		"whoever reaches it reads the belt's mark, and can change or drain the proxy",
		"bind it to 127.0.0.1 or a unix socket",
	},
	"belt.missing": {
		Bypass, "no belt after ext_authz",
		"an empty answer, a fail-open setting or a disabled filter then allows; the belt refuses what no OK answer of the gateway has marked",
		"add the RBAC filter of deploy/envoy: action ALLOW, and the mark's exact text in the metadata of ext_authz",
	},
	"belt.not-last": {
		Bypass, "a filter between the belt and the router",
		"it can change what was judged",
		"put the belt last before the router",
	},
	"belt.overridden": {
		Bypass, "a route changes the belt",
		"RBACPerRoute without rules switches it off",
		"remove the override",
	},
	"body.late-denial": {
		Outage, "the body is asked for before the decision",
		"Envoy answers Expect: 100-continue by itself, and a denied upload sees a broken connection instead of 403",
		"proxy_100_continue: true",
	},
	"client.address": {
		Confusion, "a client chooses its address or request id",
		"without use_remote_address Envoy believes x-request-id, x-forwarded-for and x-envoy-* of the client",
		"use_remote_address: true, and none of the settings that trust what the client says",
	},
	"cluster.dynamic": {
		Bypass, "clients choose the upstream's address",
		"the request is judged as one to the store and sent elsewhere, with a grant in it",
		"name the endpoints",
	},
	"cluster.plaintext": {
		Bypass, "a cluster in the clear",
		"whoever takes the port answers allow, or reads grants, which are bearer credentials",
		"a unix socket in a closed folder, or a transport_socket with TLS and the peer's exact identity",
	},
	"config.incomplete": {
		Bypass, "something that this file does not show",
		"routes and filters that arrive later are not examined",
		"examine the running Envoy: sallyport doctor --admin URL",
	},
	"ext-authz.body": {
		Confusion, "bodies do not arrive as the gateway wants them",
		"text bodies are repaired on the way, and operations whose body names the objects can't be judged",
		"at the filter, since routes can't set it: with_request_body: {max_request_bytes: 262144, pack_as_bytes: true}",
	},
	"ext-authz.client-metadata": {
		Confusion, "clients may write metadata that the gateway is given",
		"an earlier filter that copies headers makes it the client's",
		"remove the namespaces: the gateway reads none",
	},
	"ext-authz.cluster": {
		Outage, "the gateway's cluster does not exist",
		"Envoy starts, and refuses everything",
		"define the cluster",
	},
	"ext-authz.disabled": {
		Bypass, "ext_authz is off",
		"nothing asks the gateway",
		"remove disabled",
	},
	"ext-authz.fail-open": {
		Bypass, "ext_authz fails open",
		"while the gateway is down or slow everything passes",
		"failure_mode_allow: false",
	},
	"ext-authz.fraction": {
		Bypass, "ext_authz is asked for a part of the requests",
		"a fraction or a condition decides who is judged, and with a runtime layer it changes while Envoy runs",
		"remove filter_enabled and filter_enabled_metadata",
	},
	"ext-authz.http": {
		Confusion, "the gateway is asked over HTTP",
		"the gateway speaks gRPC; the HTTP form joins headers and reads the answer from them",
		"grpc_service",
	},
	"ext-authz.missing": {
		Bypass, "a listener without ext_authz",
		"nothing asks the gateway",
		"add the filters of deploy/envoy, or serve what needs no gateway from another Envoy",
	},
	"ext-authz.mutation": {
		Confusion, "an answer may set any header",
		"whoever answers in the gateway's place changes path and host after the route is chosen",
		"decoder_header_mutation_rules: disallow_all and disallow_is_error, and the gateway's headers in allow_expression",
	},
	"ext-authz.not-last": {
		Bypass, "a filter after ext_authz",
		"it can change what was judged, or answer by itself",
		"put it before ext_authz",
	},
	"ext-authz.partial-body": {
		Confusion, "a check may carry a part of the body",
		"the gateway judges the beginning, and the upstream acts on the whole",
		"allow_partial_message: false",
	},
	"ext-authz.partial-view": {
		Confusion, "the gateway is not shown all headers",
		"it signs, and judges, what it sees",
		"remove allowed_headers and disallowed_headers",
	},
	"ext-authz.peer-certificate": {
		Confusion, "the client's certificate does not reach the gateway",
		"tokens bound to a certificate can't be checked, and are refused",
		"include_peer_certificate: true",
	},
	"ext-authz.raw-headers": {
		Confusion, "headers arrive joined and repaired",
		"duplicates and odd bytes look different to the gateway and to the upstream",
		"encode_raw_headers: true",
	},
	"ext-authz.reroute": {
		Bypass, "the route is chosen again after the decision",
		"another route, with another upstream, than the one that was judged",
		"clear_route_cache: false",
	},
	"ext-authz.second": {
		Bypass, "a second ext_authz",
		"its allow writes into the same metadata as the gateway's",
		"one ext_authz, the gateway's",
	},
	"ext-authz.shadow": {
		Bypass, "ext_authz is in shadow mode",
		"denials are counted and not enforced",
		"remove shadow_mode",
	},
	"ext-authz.status-on-error": {
		Outage, "a broken gateway looks like a denial",
		"operators and clients can't tell 403 of policy from 403 of an outage",
		"status_on_error: {code: 503}",
	},
	"ext-authz.timeout": {
		Outage, "the timeout of a check is wrong",
		"200 ms by default, which a slow disk exceeds; 0 waits for ever",
		"a timeout longer than the gateway's limits.decision_timeout and a second of its log, such as 1s",
	},
	"filter.discovered": {
		Bypass, "a filter that xDS brings later",
		"nobody can say here what it does",
		"write the filter into the listener",
	},
	"headers.mutated": {
		Confusion, "headers are changed before the gateway sees them",
		"it judges something else than the client sent",
		"remove it",
	},
	"headers.underscores": {
		Confusion, "header names with underscores pass",
		"some upstreams take x_amz_meta for x-amz-meta",
		"headers_with_underscores_action: REJECT_REQUEST",
	},
	"host.rewritten": {
		Confusion, "the host is changed before the gateway sees it",
		"gateway and client sign and name different hosts",
		"remove it",
	},
	"limits.breaker": {
		Outage, "no circuit breaker of its own",
		"the default is 1,024 for everybody",
		"thresholds with max_connections and max_requests",
	},
	"limits.buffers": {
		Outage, "connections may hold much memory",
		"1,000 strangers with unfinished bodies hold a gigabyte",
		"per_connection_buffer_limit_bytes: 262144",
	},
	"limits.overload": {
		Outage, "no overload manager",
		"memory ends before anything is refused",
		"overload_manager as in deploy/envoy",
	},
	"limits.rate": {
		Outage, "no rate limit before ext_authz",
		"a stranger's flood costs a check for each request",
		"local_ratelimit before ext_authz",
	},
	"limits.slow-clients": {
		Outage, "slow clients are not ended",
		"each keeps a connection, and a place in the breaker",
		"request_headers_timeout, request_timeout and stream_idle_timeout",
	},
	"limits.streams": {
		Outage, "streams without bounds",
		"an upload goes on after the token has ended, and one connection counts for a thousand clients",
		"max_stream_duration on the route, max_concurrent_streams on the connection",
	},
	"listener.original-destination": {
		Bypass, "clients choose where a connection goes",
		"requests pass the listener that asks the gateway",
		"remove it",
	},
	"listener.shared-port": {
		Bypass, "the port can be shared",
		"a second process answers a part of the connections",
		"enable_reuse_port: false, and --disable-hot-restart",
	},
	"listener.tcp": {
		Bypass, "a listener passes bytes on",
		"nothing asks the gateway",
		"remove it from this Envoy",
	},
	"log.decision-id": {
		Outage, "the access log lacks the decision id",
		"nobody can reconcile it with the decision log",
		"decision_id from the dynamic metadata of ext_authz, as in deploy/envoy",
	},
	"metadata.scripted": {
		Bypass, "a filter runs code or picks filters by itself",
		"it can write the belt's mark and change what was judged",
		"remove it, or run it in another Envoy before this one",
	},
	"metadata.writer": {
		Bypass, "another filter writes the gateway's metadata",
		"with a header of the client it satisfies the belt",
		"another namespace",
	},
	"path.normalize": {
		Confusion, "paths are not made plain",
		"the store folds dots and slashes by itself, so that /a/../b is one object to the gateway and another to it",
		"normalize_path and merge_slashes: true, path_with_escaped_slashes_action: REJECT_REQUEST",
	},
	"protocol.lenient": {
		Confusion, "odd HTTP is taken",
		"two parsers read it in two ways",
		"remove it",
	},
	"route.client-picks-upstream": {
		Bypass, "a client picks the upstream",
		"a header names the cluster after the decision",
		"name the cluster",
	},
	"route.headers": {
		Confusion, "headers change after the decision",
		"the router changes them after all filters: it breaks the grant's signature, or gets around what was judged",
		"remove it; the gateway removes what must not go upstream",
	},
	"route.internal-redirect": {
		Bypass, "Envoy follows redirects by itself",
		"the second request goes where the upstream says",
		"remove it",
	},
	"route.mirror": {
		Bypass, "requests are mirrored",
		"a copy, with its grant, goes to another upstream",
		"remove it",
	},
	"route.no-catch-all": {
		Bypass, "requests that no route matches",
		"they get 404 without a check and without a record",
		"a virtual host \"*\" and a last route that match everything, as in deploy/envoy",
	},
	"route.retry": {
		Bypass, "requests are sent again",
		"one decision, several performances",
		"remove it, max_retries: 0",
	},
	"route.rewrite": {
		Confusion, "path or host change after the decision",
		"the upstream does something else than was judged",
		"remove it",
	},
	"route.unnamed": {
		Outage, "a route that does not name its service",
		"the gateway refuses what it is not told: which adapter reads the request, and for whom the grant is",
		"context_extensions with service, audience, region and body, as in deploy/envoy",
	},
	"runtime.mutable": {
		Bypass, "settings can change while Envoy runs",
		"a fraction or a guard is switched by whoever reaches the layer",
		"only static layers",
	},
	"tls.client-unverified": {
		Confusion, "clients' certificates are not verified",
		"Envoy passes on any certificate, and policy takes its thumbprint for a proof",
		"a validation_context with the authorities of clients",
	},
	"tls.gateway-identity": {
		Bypass, "anybody of the authority may be the gateway",
		"whoever the authority knows can answer allow",
		"match_typed_subject_alt_names with the gateway's exact SPIFFE id, and an authority to hold it against",
	},
	"tls.resumption": {
		Confusion, "TLS sessions are resumed",
		"a certificate of yesterday counts for one of today",
		"disable_stateless_session_resumption and disable_stateful_session_resumption: true",
	},
	"upgrade.allowed": {
		Bypass, "connections may become something else",
		"what is sent after the upgrade is not judged",
		"remove it",
	},
}
