package doctor

import "time"

// connection checks what m makes of connections and of heads.
func (e *examination) connection(m manager) {
	if m.guards() < 0 {
		return // what is not judged is not read in two ways; filters says that it is not judged
	}
	e.want("path.normalize", m.node, "true", "normalize_path")
	e.want("path.normalize", m.node, "true", "merge_slashes")
	e.want("path.normalize", m.node, "REJECT_REQUEST", "path_with_escaped_slashes_action")
	e.want("headers.underscores", m.node, "REJECT_REQUEST", "common_http_protocol_options", "headers_with_underscores_action")
	e.want("client.address", m.node, "true", "use_remote_address")
	for _, name := range []string{"preserve_external_request_id", "xff_num_trusted_hops", "original_ip_detection_extensions"} {
		if v := m.get(name); v.set() && v.text() != "0" {
			e.report("client.address", v, "%s lets a client say who it is or which request this is", name)
		}
	}
	e.refuse("headers.mutated", m.node, "early_header_mutation_extensions")
	for _, name := range []string{"strip_any_host_port", "strip_matching_host_port", "strip_trailing_host_dot"} {
		e.refuse("host.rewritten", m.node, name)
	}
	for _, version := range []string{"http_protocol_options", "http2_protocol_options", "http3_protocol_options"} {
		o := m.get(version)
		for _, name := range []string{"allow_chunked_length", "accept_http_10", "enable_trailers", "allow_custom_methods"} {
			e.refuse("protocol.lenient", o, name)
		}
		for _, name := range []string{"allow_connect", "allow_extended_connect"} {
			e.refuse("upgrade.allowed", o, name)
		}
	}
	for _, u := range m.get("upgrade_configs").list() {
		if u.get("enabled").text() != "false" {
			e.report("upgrade.allowed", u, "connections may be upgraded to %s", u.get("upgrade_type").text())
		}
	}
	e.want("body.late-denial", m.node, "true", "proxy_100_continue")
	for _, name := range []string{"request_headers_timeout", "request_timeout", "stream_idle_timeout"} {
		d, ok := m.get(name).duration()
		if !ok && name != "stream_idle_timeout" || ok && d == 0 { // the default of the last is 5 min
			e.report("limits.slow-clients", firstOf(m.get(name), m.node), "%s does not end a client that is slow", name)
		}
	}
	if n := m.get("http2_protocol_options", "max_concurrent_streams"); m.get("codec_type").text() != "HTTP1" && !n.ok() {
		e.report("limits.streams", firstOf(m.get("http2_protocol_options"), m.node), "max_concurrent_streams is not set: one connection may be as many clients as it likes")
	}
	if !m.logsDecision() {
		e.report("log.decision-id", firstOf(m.get("access_log"), m.node), "no access log has the decision id, %%DYNAMIC_METADATA(%s:decision_id)%%", namespace)
	}
}

// logsDecision reports whether an access log of m holds the id of the gateway's record.
func (m manager) logsDecision() bool {
	found := false
	m.get("access_log").walk(func(x node) bool {
		found = found || containsAll(x.text(), "DYNAMIC_METADATA(", namespace+":decision_id")
		return !found
	})
	return found
}

// listener checks a listener by itself.
func (e *examination) listener(l node) {
	if !l.get("filter_chains").ok() && !l.get("default_filter_chain").ok() {
		return
	}
	if v := l.get("enable_reuse_port"); v.text() != "false" && l.get("address", "socket_address").ok() {
		e.report("listener.shared-port", firstOf(v, l), "a second Envoy can share the port in silence")
	}
	if !l.get("per_connection_buffer_limit_bytes").ok() {
		e.report("limits.buffers", l, "per_connection_buffer_limit_bytes is not set: each connection may hold 1 MiB")
	}
	e.refuse("listener.original-destination", l, "use_original_dst")
	l.walk(func(x node) bool {
		switch kind, config := x.kind(); kind {
		case "TcpProxy", "UdpProxyConfig":
			e.report("listener.tcp", config, "bytes are passed on without a look at the requests in them")
		case "DownstreamTlsContext":
			e.clients(config)
		case "OriginalDst":
			e.report("listener.original-destination", config, "clients choose where a connection goes")
		}
		return true
	})
}

// clients checks the TLS of a listener where clients may bring certificates.
func (e *examination) clients(tls node) {
	trusted := validation(tls)
	if !trusted.ok() && !tls.get("require_client_certificate").set() {
		return // Envoy asks for none
	}
	if !trusted.ok() {
		e.report("tls.client-unverified", tls.get("require_client_certificate"), "a certificate is wanted, and no authority for it")
	}
	if v := trusted.get("trust_chain_verification"); v.text() == "ACCEPT_UNTRUSTED" {
		e.report("tls.client-unverified", v, "certificates of any authority are taken")
	}
	for _, name := range []string{"disable_stateless_session_resumption", "disable_stateful_session_resumption"} {
		e.want("tls.resumption", tls, "true", name)
	}
}

// validation is what a TLS context holds the peer's certificate against; of a combined one, the part that the file shows.
func validation(tls node) node {
	common := tls.get("common_tls_context")
	return firstOf(common.get("combined_validation_context", "default_validation_context"), common.get("validation_context"),
		common.get("validation_context_sds_secret_config"))
}

// gateway checks the TLS of a cluster that ext_authz asks.
func (e *examination) gateway(name string, c node) {
	kind, tls := c.get("transport_socket", "typed_config").kind()
	if kind != "UpstreamTlsContext" {
		return
	}
	names := validation(tls).get("match_typed_subject_alt_names").list()
	for _, n := range names {
		if n.get("san_type").text() != "URI" || !n.get("matcher", "exact").set() {
			e.report("tls.gateway-identity", n, "cluster %s takes more than one exact URI for the gateway's name", name)
		}
	}
	if len(names) == 0 {
		e.report("tls.gateway-identity", tls, "cluster %s takes any name for the gateway's", name)
	}
}

// edge checks what a bootstrap says beside listeners and clusters.
func (e *examination) edge(top node) {
	for _, b := range e.config.bootstrap {
		admin := b.get("admin", "address", "socket_address", "address")
		if admin.ok() && !loopback(admin.text()) {
			e.report("admin.exposed", admin, "the admin interface listens on %s", admin.text())
		}
		for _, layer := range b.get("layered_runtime", "layers").list() {
			for _, kind := range []string{"admin_layer", "disk_layer", "rtds_layer"} {
				if v := layer.get(kind); v.n != nil {
					e.report("runtime.mutable", layer, "%s lets settings change while Envoy runs", kind)
				}
			}
		}
		if b.get("static_resources").ok() && !b.get("overload_manager", "resource_monitors").ok() {
			e.report("limits.overload", b, "there is no overload manager")
		}
		if d := b.get("dynamic_resources"); d.ok() && !top.get("configs").ok() {
			e.report("config.incomplete", d, "what xDS brings is not in this file")
		}
	}
}

// shortest of the durations at which a stream ends; 0 if none does.
func shortest(all ...node) time.Duration {
	var least time.Duration
	for _, x := range all {
		if d, ok := x.duration(); ok && d > 0 && (least == 0 || d < least) {
			least = d
		}
	}
	return least
}
