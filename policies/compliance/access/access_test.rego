package compliance.access_test

import data.compliance.access
import data.compliance.fixture

test_time_is_a_text_of_thirty_characters if {
	fixture.time == access.time with input as fixture.valid
	every bad in [null, 1, "", "2026-06-01T00:00:00Z", "2026-06-01T00:00:00.000000000+"] {
		not access.time with input.context.time as bad
	}
}

test_within_holds_from_the_first_instant_to_before_the_last if {
	access.within(fixture.time, fixture.after) with input as fixture.valid
	not access.within(fixture.before, fixture.time) with input as fixture.valid
	not access.within(fixture.after, fixture.after) with input as fixture.valid
}

test_an_unknown_bound_proves_nothing if {
	not access.within(null, fixture.after) with input as fixture.valid
	not access.within(fixture.before, null) with input as fixture.valid
	not access.within(fixture.before, []) with input as fixture.valid
}

test_no_labels_without_row_or_with_none if {
	every patch in [
		fixture.resource(["row"], null),
		fixture.remove(["resource", "properties", "row"]),
		fixture.resource(["labels"], []),
		fixture.resource(["labels"], null),
		fixture.remove(["resource", "properties", "labels"]),
		fixture.set_to(["action", "name"], "guess"),
	] {
		not access.labels with input as json.patch(fixture.valid, [patch])
	}
}

test_a_write_is_bound_by_the_labels_that_it_asks_for if {
	every verb in ["create", "update", "relabel"] {
		labels := access.labels with input as json.patch(fixture.valid, [
			fixture.set_to(["action", "name"], verb),
			fixture.set_to(["action", "properties", "request_labels"], [{"level": "TOP"}]),
		])
		labels == [fixture.label, {"level": "TOP"}]
	}
}

test_no_labels_of_a_write_without_row if {
	not access.labels with input as json.patch(fixture.valid, [fixture.set_to(["action", "name"], "create"), fixture.resource(["row"], null)])
}

test_unknown_labels_of_a_write_are_no_labels if {
	not access.labels with input as json.patch(fixture.valid, [
		fixture.set_to(["action", "name"], "create"),
		fixture.set_to(["action", "properties", "request_labels"], null),
	])
}

test_a_read_is_not_bound_by_labels_of_the_request if {
	labels := access.labels with input as json.patch(fixture.valid, [fixture.set_to(["action", "properties", "request_labels"], [{"level": "TOP"}])])
	labels == [fixture.label]
}

test_replicas_and_backups_are_places if {
	{"e1", "e2"} == access.resting with input as fixture.valid
	{"e1", "e2"} == access.seeing with input as fixture.valid
	{"e1", "e2"} == access.seeing with input as json.patch(fixture.valid, fixture.as_job_input)
}

test_no_places_where_one_is_unknown if {
	every path in [["place"], ["place", "enclave"], ["place", "replicas"], ["place", "backups"]] {
		not access.resting with input as json.patch(fixture.valid, [fixture.resource(path, null)])
	}
}

test_an_access_touches_its_enclave_and_that_of_the_job if {
	{"e1"} == access.touched with input as fixture.valid
	{"e1", "e2"} == access.touched with input as json.patch(fixture.valid, fixture.as_job_input)
	{"e2"} == access.touched with input as json.patch(fixture.valid, fixture.as_queue)
	not access.touched with input.action.properties.to.kind as "moon"
}

test_sources_are_unknown_on_a_write_that_does_not_say if {
	[] == access.sources with input as fixture.valid
	[fixture.source] == access.sources with input as json.patch(fixture.valid, fixture.as_copy)
	not access.sources with input as json.patch(fixture.valid, array.concat(fixture.as_copy, [fixture.set_to(["action", "properties", "from"], null)]))
	not access.sources with input as json.patch(fixture.valid, [fixture.set_to(["action", "name"], "guess")])
}

test_which_verbs_write if {
	every verb in ["administer", "delete", "execute", "list", "read", "relabel"] {
		access.writes_nothing with input.action.name as verb
		not access.writes with input.action.name as verb
	}
	every verb in ["create", "update"] {
		access.writes with input.action.name as verb
		not access.writes_nothing with input.action.name as verb
	}
	every verb in ["burn", "", null] {
		not access.writes with input.action.name as verb
		not access.writes_nothing with input.action.name as verb
	}
}

test_what_holds_data if {
	every type in ["bucket", "object"] {
		access.on_data with input.resource.type as type
	}
	every type in ["job", "", null] {
		not access.on_data with input.resource.type as type
	}
}

test_no_new_labels_where_either_half_is_unknown if {
	update := array.concat([fixture.set_to(["action", "name"], "update")], [])
	every patch in [
		fixture.resource(["labels"], null),
		fixture.set_to(["action", "properties", "request_labels"], null),
	] {
		not access.new_labels with input as json.patch(fixture.valid, array.concat(update, [patch]))
			with data.tenants as fixture.world.tenants
	}
}
