package doctor

import (
	"slices"
	"strings"
	"time"
)

// namespace is where an allow leaves the belt's mark.
const namespace = "envoy.filters.http.ext_authz"

// scripted filters run code that may write any metadata and any header.
var scripted = []string{"Lua", "LuaPerRoute", "Wasm", "ExternalProcessor", "DynamicModuleFilter", "Composite", "ExtensionWithMatcher"}

// defaultTimeout is Envoy's, of a check.
const defaultTimeout = 200 * time.Millisecond

// filters checks the chain of m: the locks, their order, and who else could open them.
func (e *examination) filters(m manager) {
	guard := m.guards()
	if guard < 0 {
		if e.forwards(m) {
			e.report("ext-authz.missing", m.node, "nothing on this listener asks the gateway")
		}
		return
	}
	for i, f := range m.filters {
		if f.entry.get("config_discovery").ok() {
			e.report("filter.discovered", f.entry, "the filter %s is brought by xDS later", f.name)
		}
		switch {
		case f.kind == "ExtAuthz" && i == guard:
			e.extAuthz(f)
		case f.kind == "ExtAuthz":
			e.report("ext-authz.second", f.entry, "%s is a second ext_authz filter", f.name)
		case i > guard && f.kind != "RBAC" && f.kind != "Router":
			e.report("ext-authz.not-last", f.entry, "%s runs after the decision", f.name)
		}
		e.writers(f)
	}
	e.belt(m, m.filters[guard+1:])
	if !slices.ContainsFunc(m.filters[:guard], func(f filter) bool { return f.kind == "LocalRateLimit" || f.kind == "RateLimit" }) {
		e.report("limits.rate", m.filters[guard].entry, "no rate limit stands before ext_authz")
	}
}

// extAuthz checks the first lock.
func (e *examination) extAuthz(f filter) {
	x := f.config
	if f.entry.get("disabled").set() {
		e.report("ext-authz.disabled", f.entry.get("disabled"), "%s is disabled, and each route would have to enable it", f.name)
	}
	e.refuse("ext-authz.fail-open", x, "failure_mode_allow")
	e.refuse("ext-authz.shadow", x, "shadow_mode")
	for _, name := range []string{"filter_enabled", "filter_enabled_metadata"} {
		e.refuse("ext-authz.fraction", x, name)
	}
	e.refuse("ext-authz.reroute", x, "clear_route_cache")
	for _, name := range []string{"allowed_headers", "disallowed_headers"} {
		e.refuse("ext-authz.partial-view", x, name)
	}
	e.refuse("ext-authz.client-metadata", x, "metadata_context_namespaces")
	e.refuse("ext-authz.client-metadata", x, "typed_metadata_context_namespaces")
	e.want("ext-authz.raw-headers", x, "true", "encode_raw_headers")
	e.want("ext-authz.peer-certificate", x, "true", "include_peer_certificate")
	if code := x.get("status_on_error", "code"); code.text() != "ServiceUnavailable" { // as dumps have it
		e.want("ext-authz.status-on-error", x, "503", "status_on_error", "code")
	}
	if rules := x.get("decoder_header_mutation_rules"); !rules.get("disallow_all").set() || !rules.get("disallow_is_error").set() {
		e.report("ext-authz.mutation", firstOf(rules, x), "decoder_header_mutation_rules do not refuse everything but the gateway's own headers")
	}
	if x.get("http_service").ok() {
		e.report("ext-authz.http", x.get("http_service"), "the gateway is asked over HTTP")
	} else {
		e.timeout(x.get("grpc_service"), x)
	}
	body := x.get("with_request_body")
	if !body.ok() {
		e.report("ext-authz.body", x, "with_request_body is not set")
		return
	}
	e.bodies(body)
	e.want("ext-authz.body", body, "true", "pack_as_bytes")
}

// bodies checks with_request_body, of the filter or of a route.
func (e *examination) bodies(body node) {
	e.refuse("ext-authz.partial-body", body, "allow_partial_message")
	if n := body.get("max_request_bytes"); len(n.text()) > 6 || len(n.text()) == 6 && n.text() > "262144" {
		e.report("ext-authz.body", n, "a check may carry %s bytes; the gateway takes 262144", n.text())
	}
}

// timeout checks how long a check may take; service is its grpc_service, of the filter or of a route.
func (e *examination) timeout(service, x node) {
	d, ok := service.get("timeout").duration()
	at := firstOf(service.get("timeout"), service, x)
	switch p99 := e.measured.P99[service.get("envoy_grpc", "cluster_name").text()]; {
	case !ok:
		e.report("ext-authz.timeout", at, "timeout is not set, so it is %s", defaultTimeout)
	case d == 0:
		e.report("ext-authz.timeout", at, "a timeout of 0 waits for ever")
	case p99 > 0 && d < 2*p99:
		e.report("ext-authz.timeout", at, "the timeout is %s, and one check in a hundred took %s or longer", d, p99)
	}
	if cluster := service.get("envoy_grpc", "cluster_name"); cluster.ok() {
		if _, known := e.config.clusters[cluster.text()]; !known && len(e.config.clusters) > 0 {
			e.report("ext-authz.cluster", cluster, "there is no cluster %s", cluster.text())
		}
		e.gateway(cluster.text(), e.config.clusters[cluster.text()])
	}
}

// belt checks the second lock, among the filters after the first.
func (e *examination) belt(m manager, after []filter) {
	i := slices.IndexFunc(after, func(f filter) bool { return f.kind == "RBAC" && wantsMark(f.config) })
	switch {
	case i < 0:
		e.report("belt.missing", m.get("http_filters"), "no RBAC filter after ext_authz wants the gateway's mark in %s", namespace)
	case after[i].entry.get("disabled").set():
		e.report("belt.missing", after[i].entry.get("disabled"), "the belt is disabled, and each route would have to enable it")
	case i+1 >= len(after) || after[i+1].kind != "Router":
		e.report("belt.not-last", after[i].entry, "the router does not follow the belt")
	}
}

// wantsMark reports whether an RBAC filter allows nothing without exact text in the gateway's metadata.
func wantsMark(rbac node) bool {
	rules := rbac.get("rules")
	_, policies := rules.get("policies").members()
	if a := rules.get("action"); a.ok() && a.text() != "ALLOW" && a.text() != "0" || len(policies) == 0 {
		return false
	}
	for _, p := range policies {
		if !every(p.get("permissions"), marked) && !every(p.get("principals"), marked) {
			return false
		}
	}
	return true
}

// every reports whether a list has elements and all of them are as f says: RBAC allows what any of them matches.
func every(list node, f func(node) bool) bool {
	all := list.list()
	return len(all) > 0 && !slices.ContainsFunc(all, func(x node) bool { return !f(x) })
}

// marked reports whether a permission or principal matches only requests with the mark.
func marked(x node) bool {
	for _, m := range []node{x.get("metadata"), x.get("metadata", "metadata_matcher"), x.get("sourced_metadata", "metadata_matcher")} {
		exact := m.get("value", "string_match", "exact").text()
		if m.get("filter").text() == namespace && len(m.get("path").list()) > 0 && exact != "" && !m.get("invert").set() {
			return true
		}
	}
	for _, set := range []string{"and_rules", "and_ids"} {
		for _, inner := range append(x.get(set, "rules").list(), x.get(set, "ids").list()...) {
			if marked(inner) {
				return true
			}
		}
	}
	return false
}

// writers reports a filter that may write what the belt reads, or what the gateway takes for the client's.
func (e *examination) writers(f filter) {
	typed := f.entry.get("typed_config")
	golang := strings.Contains(typed.get("@type").text()+typed.get("type_url").text(), ".golang.") // whose own name, Config, others have too
	if golang || slices.Contains(scripted, f.kind) {
		e.report("metadata.scripted", f.entry, "%s (%s) runs code, or picks filters, of its own", f.name, f.kind)
		return
	}
	if f.kind == "ExtAuthz" || f.kind == "RBAC" || f.kind == "Router" {
		return
	}
	f.config.walk(func(x node) bool {
		if s := x.get("metadata_namespace"); s.text() == namespace {
			e.report("metadata.writer", s, "%s writes into %s", f.name, namespace)
		}
		return true
	})
	if f.kind == "HeaderMutation" {
		e.report("headers.mutated", f.entry, "%s changes headers between client and gateway", f.name)
	}
}

// firstOf returns the first of places that is there.
func firstOf(places ...node) node {
	for _, p := range places {
		if p.ok() {
			return p
		}
	}
	return node{}
}
