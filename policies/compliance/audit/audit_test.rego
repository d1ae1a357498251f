package compliance.audit_test

import data.compliance.fixture

_owner(audit) := [fixture.set_to(["tenants", "acme", "tenant", "audit"], audit)]

_obligations(input_patches, audit) := fixture.decide(input_patches, _owner(audit)).obligations

_mask(fields) := {{"id": "audit.mask", "fields": fields}}

_buffered := {{"id": "audit.buffered"}}

test_a_tenant_that_says_nothing_hides_nothing_and_waits if {
	fixture.decide([], []).obligations == set()
	_obligations([], {}) == set()
	_obligations([], {"mask": [], "buffered": {}}) == set()
}

test_fields_are_hidden_at_every_level_or_at_those_that_are_listed if {
	_obligations([], {"mask": [{"fields": ["/subject/id"]}]}) == _mask({"/subject/id"})
	_obligations([], {"mask": [{"fields": ["/subject/id"], "levels": {"AAA": ["MID"]}}]}) == _mask({"/subject/id"})
	_obligations([], {"mask": [{"fields": ["/subject/id"], "levels": {"AAA": ["LOW"]}}]}) == set()
	_obligations([], {"mask": [{"fields": ["/subject/id"], "levels": {"BBB": ["MID"]}}]}) == set()
}

test_fields_of_all_rules_that_hold_are_hidden if {
	rules := [
		{"fields": ["/subject/id", "/context/purpose"]},
		{"fields": ["/resource/id", "/subject/id"], "levels": {"AAA": ["MID"]}},
		{"fields": ["/action"], "levels": {"AAA": ["LOW"]}},
	]
	_obligations([], {"mask": rules}) == _mask({"/subject/id", "/context/purpose", "/resource/id"})
}

test_an_unknown_label_hides_what_some_level_hides if {
	rules := {"mask": [{"fields": ["/subject/id"], "levels": {"AAA": ["LOW"]}}]}
	every labels in [null, []] {
		_obligations([fixture.resource(["labels"], labels)], rules) == _mask({"/subject/id"})
	}
	_obligations([fixture.remove(["resource", "properties", "labels"])], rules) == _mask({"/subject/id"})
}

test_an_alternative_label_hides_too if {
	other := fixture.changed({"scheme": "BBB", "level": "TOP"})
	label := fixture.changed({"alternatives": [other]})
	_obligations([fixture.resource(["labels"], [label])], {"mask": [{"fields": ["/subject/id"], "levels": {"BBB": ["TOP"]}}]}) == _mask({"/subject/id"})
}

test_a_denial_is_hidden_like_an_allow if {
	_obligations([fixture.subject(["clearances"], [])], {"mask": [{"fields": ["/subject/id"]}]}) == _mask({"/subject/id"})
}

test_an_answer_goes_early_only_where_each_label_is_listed if {
	_obligations([], {"buffered": {"AAA": ["MID"]}}) == _buffered
	_obligations([], {"buffered": {"AAA": ["LOW"]}}) == set()
	two := [fixture.changed({}), fixture.changed({"level": "LOW"})]
	_obligations([fixture.resource(["labels"], two)], {"buffered": {"AAA": ["MID"]}}) == set()
	_obligations([fixture.resource(["labels"], two)], {"buffered": {"AAA": ["LOW", "MID"]}}) == _buffered
}

test_an_answer_waits_where_a_label_is_unknown if {
	every labels in [null, []] {
		_obligations([fixture.resource(["labels"], labels)], {"buffered": {"AAA": ["LOW", "MID"]}}) == set()
	}
}

test_an_answer_waits_for_what_flows_in if {
	write := [
		fixture.set_to(["action", "name"], "update"),
		fixture.set_to(["action", "properties", "request_labels"], []),
	]
	_obligations(array.concat(write, [_source([fixture.changed({})])]), {"buffered": {"AAA": ["MID"]}}) == _buffered
	every labels in [null, [], [fixture.changed({"level": "TOP"})]] {
		_obligations(array.concat(write, [_source(labels)]), {"buffered": {"AAA": ["MID"]}}) == set()
	}
}

_source(labels) := fixture.set_to(["action", "properties", "from"], [{"row": "acme-docs/", "labels": labels}])
