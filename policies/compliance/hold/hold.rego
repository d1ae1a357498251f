# METADATA
# title: Holds
# description: What is under a hold is not deleted.
package compliance.hold

# METADATA
# title: Nothing is deleted
# custom: {id: resource.held, controls: [AU-11, SI-12]}
satisfied contains "resource.held" if {
	input.action.name in ["read", "list", "create", "update", "relabel", "execute", "administer"]
}

# METADATA
# title: The resource is not under a hold
# custom: {id: resource.held, controls: [AU-11, SI-12]}
satisfied contains "resource.held" if {
	input.action.name == "delete"
	input.resource.properties.hold == false
}
