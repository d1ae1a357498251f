package doctor

import (
	"maps"
	"slices"
)

// configuration is what the checks look at, wherever in a bootstrap or a dump it stands.
type configuration struct {
	listeners []node
	managers  []manager
	clusters  map[string]node
	routes    map[string]node // route configurations by name
	bootstrap []node
}

// manager is one HTTP connection manager.
type manager struct {
	node
	filters []filter
}

// filter is one entry of http_filters.
type filter struct {
	name   string
	entry  node
	kind   string
	config node
}

// collect finds the parts of a bootstrap, a config dump or a discovery response, as xDS has them on disk. In a dump, what was replaced (a state warming or draining) is read like
// what is active: it was, or will be.
func collect(top node) configuration {
	c := configuration{clusters: map[string]node{}, routes: map[string]node{}}
	if top.get("static_resources").ok() || top.get("admin").ok() {
		c.bootstrap = append(c.bootstrap, top)
	}
	top.walk(func(x node) bool {
		if b := x.get("bootstrap"); b.get("static_resources").ok() || b.get("node").ok() {
			c.bootstrap = append(c.bootstrap, b)
			return false // a dump has its listeners and clusters a second time, as they are now
		}
		c.listeners = append(c.listeners, x.get("listeners").list()...)
		if l := x.get("listener"); l.get("filter_chains").ok() || l.get("address").ok() {
			c.listeners = append(c.listeners, l)
		}
		for _, k := range x.get("clusters").list() {
			if k.get("load_assignment").ok() || k.get("type").ok() || k.get("cluster_type").ok() || k.get("connect_timeout").ok() {
				c.clusters[k.get("name").text()] = k
			}
		}
		if k := x.get("cluster"); k.get("name").ok() {
			c.clusters[k.get("name").text()] = k
		}
		if x.get("virtual_hosts").ok() && x.get("name").ok() {
			c.routes[x.get("name").text()] = x
		}
		kind, config := x.kind()
		switch {
		case kind == "Listener" && config.get("filter_chains").ok():
			c.listeners = append(c.listeners, config)
		case kind == "Cluster" && config.get("name").ok():
			c.clusters[config.get("name").text()] = config
		}
		if kind == "HttpConnectionManager" {
			m := manager{node: config}
			for _, entry := range config.get("http_filters").list() {
				kind, inner := entry.get("typed_config").kind()
				m.filters = append(m.filters, filter{name: entry.get("name").text(), entry: entry, kind: kind, config: inner})
			}
			c.managers = append(c.managers, m)
		}
		return true
	})
	return c
}

func (c configuration) clusterNames() []string { return slices.Sorted(maps.Keys(c.clusters)) }

// routeConfig is the routes of m, and whether they are known.
func (c configuration) routeConfig(m manager) (node, bool) {
	if r := m.get("route_config"); r.ok() {
		return r, true
	}
	r, ok := c.routes[m.get("rds", "route_config_name").text()]
	return r, ok
}

// guards is the index of m's first ext_authz filter, -1 if it has none.
func (m manager) guards() int {
	return slices.IndexFunc(m.filters, func(f filter) bool { return f.kind == "ExtAuthz" })
}
