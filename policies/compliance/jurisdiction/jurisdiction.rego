# METADATA
# title: Jurisdiction
# description: |
#   Where data rests, where it is processed, whose law reaches who operates the place, and where it leaves to are four questions.
#   Backups and replicas are places like any other. A copy must keep the rules of its sources.
package compliance.jurisdiction

import data.compliance.access
import data.compliance.country
import data.compliance.scheme

# METADATA
# title: The data rests where its rule allows
# custom: {id: jurisdiction.residency, controls: [SA-9(5), CM-12]}
satisfied contains "jurisdiction.residency" if {
	_rests_within(input.resource.properties.constraints.residency)
	every source in access.sources {
		_rests_within(source.constraints.residency)
		country.narrows(input.resource.properties.constraints.residency, source.constraints.residency)
	}
}

# METADATA
# title: The data is not processed
# description: What goes to the client or into an object is not.
# custom: {id: jurisdiction.processing, controls: [SA-9(5), CM-12]}
satisfied contains "jurisdiction.processing" if input.action.properties.to.kind in ["client", "object"]

# METADATA
# title: The data is processed where its rule allows
# custom: {id: jurisdiction.processing, controls: [SA-9(5), CM-12]}
satisfied contains "jurisdiction.processing" if {
	input.action.properties.to.kind == "enclave"
	place := data.enclaves[input.action.properties.to.enclave]
	country.permits(input.resource.properties.constraints.processing, place.country)
}

# METADATA
# title: Only allowed law reaches the operators of the places
# custom: {id: jurisdiction.legal_control, controls: [SA-9, SA-9(6)]}
satisfied contains "jurisdiction.legal_control" if {
	_reached_within(access.seeing, input.resource.properties.constraints.reach)
	every l in access.labels {
		every v in access.variants(l) {
			_operated_under(scheme.facts(v))
		}
	}
	every source in access.sources {
		_reached_within(access.resting, source.constraints.reach)
	}
}

# METADATA
# title: The data does not leave to the client
# custom: {id: jurisdiction.egress, controls: [AC-20, AC-4]}
satisfied contains "jurisdiction.egress" if input.action.properties.to.kind in ["object", "enclave"]

# METADATA
# title: A write lets no data out
# custom: {id: jurisdiction.egress, controls: [AC-20, AC-4]}
satisfied contains "jurisdiction.egress" if access.writes

# METADATA
# title: No rule says where the data may leave to
# custom: {id: jurisdiction.egress, controls: [AC-20, AC-4]}
satisfied contains "jurisdiction.egress" if input.resource.properties.constraints.egress == "any"

# METADATA
# title: The data leaves to an allowed country
# custom: {id: jurisdiction.egress, controls: [AC-20, AC-4]}
satisfied contains "jurisdiction.egress" if {
	input.action.properties.to.kind == "client"
	country.permits(input.resource.properties.constraints.egress, country.of_source)
}

_rests_within(rule) if {
	every enclave in access.resting {
		country.permits(rule, data.enclaves[enclave].country)
	}
}

_reached_within(enclaves, rule) if {
	every enclave in enclaves {
		country.narrows(data.enclaves[enclave].operator.reach, rule)
	}
}

# A tag may want operators of certain law (the operator half of Spécial France).
_operated_under(facts) if {
	every tag in facts {
		every enclave in access.seeing {
			country.permits(object.get(tag, "operator_law", "any"), data.enclaves[enclave].operator.law)
		}
	}
}
