# METADATA
# title: Export control
# description: |
#   A release to a foreign person is an export wherever it happens (22 CFR 120.50, 120.62; 15 CFR 734.13), and so is a release to a
#   destination that is not licensed. Clearance does not matter.
package compliance.export

import data.compliance.access
import data.compliance.country

# METADATA
# title: No export control on the data
satisfied contains id if {
	input.resource.properties.constraints.export.mode == "none"
	some id in ["export.foreign_person", "export.destination"]
}

# METADATA
# title: The subject is a person to whom the regime allows a release
# custom: {id: export.foreign_person, controls: [AC-20, AC-4]}
satisfied contains "export.foreign_person" if {
	_status[input.resource.properties.constraints.export.mode] in input.subject.properties.export_status
}

# METADATA
# title: A licence names the recipient and every citizenship that the subject holds
# custom: {id: export.foreign_person, controls: [AC-20, AC-4]}
satisfied contains "export.foreign_person" if {
	some licence in access.owner.agreements.licences
	licence.regime == input.resource.properties.constraints.export.mode
	input.resource.properties.row in licence.rows
	input.subject.properties.affiliation.organization in licence.recipients
	access.within(licence.not_before, licence.not_after)
	is_array(input.subject.properties.held_nationalities)
	count(input.subject.properties.held_nationalities) > 0
	every nationality in input.subject.properties.held_nationalities {
		nationality in licence.citizenships
	}
}

# METADATA
# title: A write lets no data out
# custom: {id: export.destination, controls: [AC-20, AC-4]}
satisfied contains "export.destination" if access.writes

# METADATA
# title: The data goes to a licensed destination
# custom: {id: export.destination, controls: [AC-20, AC-4]}
satisfied contains "export.destination" if {
	_destination in input.resource.properties.constraints.export.destinations
}

# The status that each regime asks for: both define it alike (22 CFR 120.62, 15 CFR 772.1).
_status := {"ITAR": "us_person", "EAR": "us_person"}

_destination := country.of_source if input.action.properties.to.kind == "client"

_destination := data.enclaves[input.action.properties.to.enclave].country if {
	input.action.properties.to.kind in ["object", "enclave"]
}
