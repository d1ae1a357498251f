# METADATA
# title: Enclaves
# description: |
#   The gateway judges only what is in the enclaves that it stands in front of, and no enclave, replica or backup holds a label above
#   its ceiling. Release lists need no place in a ceiling; restrictive, nation and handling values do.
package compliance.enclave

import data.compliance.access
import data.compliance.equivalence
import data.compliance.scheme

# METADATA
# title: The gateway stands in front of the enclave
# custom: {id: enclave.mismatch, controls: [AC-4, AC-20(1), CA-6]}
satisfied contains "enclave.mismatch" if {
	every enclave in access.touched {
		enclave in input.context.gateway.enclaves
	}
}

# METADATA
# title: Each label is within the ceiling of each place
# description: Of a write also the labels of what flows in.
# custom: {id: enclave.ceiling, controls: [AC-4, AC-20(1), CA-6]}
satisfied contains "enclave.ceiling" if {
	_all_within(input.resource.properties.tenant, access.labels, access.seeing)
	every source in access.sources {
		_all_within(source.tenant, source.labels, access.resting)
	}
}

_all_within(tenant, labels, enclaves) if {
	every enclave in enclaves {
		every l in labels {
			some v in access.variants(l)
			some ceiling in data.enclaves[enclave].ceiling
			_within(tenant, v, ceiling)
		}
	}
}

_within(tenant, l, ceiling) if {
	some level in equivalence.known_as(tenant, "ceiling", l, ceiling.scheme)
	scheme.at_most(ceiling.scheme, level, ceiling.level)
	every tag in _tags(l) {
		tag in ceiling.tags
	}
}

_tags(l) := ({v | some v in l.nation} | {v | some v in l.handling}) | {v |
	some name, values in l.categories
	data.schemes[l.scheme].tag_sets[name].type == "restrictive"
	some v in values
}
