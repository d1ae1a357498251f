package doctor

import (
	"net/netip"
	"slices"
	"strings"
)

// forwards reports whether anything that m takes in may reach an upstream.
func (e *examination) forwards(m manager) bool {
	routes, known := e.config.routeConfig(m)
	if !known {
		return true
	}
	return slices.ContainsFunc(routes.get("virtual_hosts").list(), func(h node) bool {
		return slices.ContainsFunc(h.get("routes").list(), func(r node) bool { return !r.get("direct_response").ok() && !r.get("redirect").ok() })
	})
}

// routes checks where m sends requests, and what it does to them on the way.
func (e *examination) routes(m manager) {
	guard := m.guards()
	if guard < 0 {
		return
	}
	if m.get("scoped_routes").ok() {
		e.report("config.incomplete", m.get("scoped_routes"), "routes are picked by scope, which this does not follow")
		return
	}
	config, known := e.config.routeConfig(m)
	if !known {
		e.report("config.incomplete", firstOf(m.get("rds"), m.node), "the route configuration %q is not here", m.get("rds", "route_config_name").text())
		return
	}
	locks := map[string]string{}
	for _, f := range m.filters[guard:] {
		if f.kind == "ExtAuthz" || f.kind == "RBAC" {
			locks[f.name] = f.kind
		}
	}
	e.overrides(config, locks)
	e.headers(config)
	e.refuse("route.mirror", config, "request_mirror_policies")
	e.refuse("config.incomplete", config, "vhds")
	catchAll := false
	for _, host := range config.get("virtual_hosts").list() {
		e.overrides(host, locks)
		e.headers(host)
		for _, name := range []string{"retry_policy", "retry_policy_typed_config", "hedge_policy"} {
			e.refuse("route.retry", host, name)
		}
		e.refuse("route.mirror", host, "request_mirror_policies")
		if host.get("matcher").ok() {
			e.report("config.incomplete", host.get("matcher"), "routes are picked by a matcher, which this does not follow")
		}
		whole := false
		for _, r := range host.get("routes").list() {
			e.route(r, locks)
			whole = whole || matchesAll(r.get("match"))
		}
		if !whole && !host.get("matcher").ok() {
			e.report("route.no-catch-all", host, "a request to %s that no route matches gets 404 unjudged: the last route must match everything", host.get("name").text())
		}
		catchAll = catchAll || slices.ContainsFunc(host.get("domains").list(), func(d node) bool { return d.text() == "*" })
	}
	if !catchAll {
		e.report("route.no-catch-all", config, "no virtual host has the domain \"*\": a request to an unknown host gets 404 unjudged")
	}
}

// matchesAll reports whether a match leaves nothing out.
func matchesAll(match node) bool {
	names, _ := match.members()
	return match.get("prefix").text() == "/" && len(names) == 1
}

// route checks one route.
func (e *examination) route(r node, locks map[string]string) {
	e.overrides(r, locks)
	e.headers(r)
	match := r.get("match")
	if match.get("connect_matcher").ok() {
		e.report("upgrade.allowed", match.get("connect_matcher"), "the route takes CONNECT")
	}
	for _, h := range match.get("headers").list() {
		if method := firstOf(h.get("string_match", "exact"), h.get("exact_match")).text(); h.get("name").text() == ":method" && (method == "TRACE" || method == "CONNECT") {
			e.report("upgrade.allowed", h, "the route takes %s", method)
		}
	}
	action := r.get("route")
	if !action.ok() {
		return
	}
	e.headers(action)
	for _, name := range []string{"prefix_rewrite", "regex_rewrite", "path_rewrite_policy", "path_rewrite", "host_rewrite_literal", "host_rewrite",
		"host_rewrite_header", "host_rewrite_path_regex", "auto_host_rewrite", "append_x_forwarded_host"} {
		e.refuse("route.rewrite", action, name)
	}
	for _, name := range []string{"internal_redirect_policy", "internal_redirect_action"} {
		if v := action.get(name); v.set() && v.text() != "PASS_THROUGH_INTERNAL_REDIRECT" {
			e.report("route.internal-redirect", v, "%s is set", name)
		}
	}
	for _, name := range []string{"request_mirror_policies", "request_mirror_policy"} {
		e.refuse("route.mirror", action, name)
	}
	for _, name := range []string{"retry_policy", "retry_policy_typed_config", "hedge_policy"} {
		e.refuse("route.retry", action, name)
	}
	for _, name := range []string{"cluster_header", "cluster_specifier_plugin", "inline_cluster_specifier_plugin"} {
		e.refuse("route.client-picks-upstream", action, name)
	}
	for _, u := range action.get("upgrade_configs").list() {
		if u.get("enabled").text() != "false" {
			e.report("upgrade.allowed", u, "connections may be upgraded to %s", u.get("upgrade_type").text())
		}
	}
	for _, w := range action.get("weighted_clusters", "clusters").list() {
		e.overrides(w, locks)
		e.headers(w)
		e.refuse("route.client-picks-upstream", w, "cluster_header")
		e.refuse("route.rewrite", w, "host_rewrite_literal")
	}
	e.refuse("route.client-picks-upstream", action.get("weighted_clusters"), "header_name")
	if shortest(action.get("max_stream_duration", "max_stream_duration")) == 0 {
		e.report("limits.streams", action, "max_stream_duration is not set: an upload may outlive the authority for it")
	}
	if !e.named(r, locks) {
		e.report("route.unnamed", action, "the route does not say which service and upstream it leads to")
	}
}

// named reports whether a route has the context extensions that the gateway wants.
func (e *examination) named(r node, locks map[string]string) bool {
	for name, kind := range locks {
		x := r.get("typed_per_filter_config").member(name).get("check_settings", "context_extensions")
		if kind == "ExtAuthz" && x.get("service").set() && x.get("audience").set() {
			return true
		}
	}
	return false
}

// overrides checks what x, a route or what stands around it, changes of the locks. locks are their kinds by name.
func (e *examination) overrides(x node, locks map[string]string) {
	names, values := x.get("typed_per_filter_config").members()
	for i, name := range names {
		lock, v := locks[name], values[i]
		kind, config := v.kind()
		if kind == "FilterConfig" {
			if config.get("disabled").set() && lock != "" {
				e.report(map[string]string{"ExtAuthz": "ext-authz.disabled", "RBAC": "belt.overridden"}[lock], config.get("disabled"), "%s is disabled here", name)
			}
			kind, config = config.get("config").kind()
		}
		switch {
		case kind == "ExtAuthzPerRoute" && config.get("disabled").set():
			e.report("ext-authz.disabled", config.get("disabled"), "%s is disabled here", name)
		case kind == "ExtAuthzPerRoute":
			settings := config.get("check_settings")
			e.bodies(settings.get("with_request_body"))
			if s := settings.get("grpc_service"); s.ok() {
				e.timeout(s, settings)
			}
			if s := settings.get("http_service"); s.ok() {
				e.report("ext-authz.http", s, "the gateway is asked over HTTP")
			}
		case lock == "RBAC" && kind == "RBACPerRoute":
			e.report("belt.overridden", config, "%s has other rules here, or none", name)
		case slices.Contains(scripted, kind):
			e.report("metadata.scripted", config, "%s (%s) runs code, or picks filters, of its own", name, kind)
		}
	}
}

// headers checks what x does to the headers of requests: the router does it after the decision, and after the signature.
func (e *examination) headers(x node) {
	for _, name := range []string{"request_headers_to_add", "request_headers_to_remove"} {
		if v := x.get(name); len(v.list()) > 0 {
			e.report("route.headers", v, "%s changes what was judged and signed", name)
		}
	}
}

// cluster checks an upstream.
func (e *examination) cluster(name string, c node) {
	kind := firstOf(c.get("cluster_type", "name"), c.get("type")).text()
	if kind == "ORIGINAL_DST" || strings.Contains(kind, "dynamic_forward_proxy") {
		e.report("cluster.dynamic", firstOf(c.get("cluster_type"), c.get("type")), "clients choose where requests to %s go", name)
	}
	if !slices.ContainsFunc(c.get("circuit_breakers", "thresholds").list(), func(t node) bool { return t.get("max_requests").ok() && t.get("max_connections").ok() }) {
		e.report("limits.breaker", firstOf(c.get("circuit_breakers"), c), "cluster %s has no circuit breaker of its own: 1,024 slow requests starve everybody", name)
	}
	for _, t := range c.get("circuit_breakers", "thresholds").list() {
		if r := t.get("retry_budget"); r.ok() {
			e.report("route.retry", r, "cluster %s has a budget for retries", name)
		}
	}
	if c.get("transport_socket").ok() || c.get("transport_socket_matches").ok() {
		return
	}
	reported := false
	c.get("load_assignment").walk(func(x node) bool {
		if a := x.get("socket_address", "address"); a.ok() && !reported {
			reported = true
			e.report("cluster.plaintext", a, "cluster %s is spoken to in the clear, over a port that anybody on the way or on the machine can use", name)
		}
		return true
	})
}

// loopback reports whether an address is reachable from this machine only.
func loopback(address string) bool {
	a, err := netip.ParseAddr(address)
	return err == nil && a.IsLoopback()
}

func containsAll(s string, parts ...string) bool {
	return !slices.ContainsFunc(parts, func(p string) bool { return !strings.Contains(s, p) })
}
