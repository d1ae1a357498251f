package compliance.dominance_test

import data.compliance.dominance
import data.compliance.fixture

_dominates(change_of_t, change_of_l) if {
	t := fixture.changed(change_of_t)
	l := fixture.changed(change_of_l)
	dominance.dominates("acme", t, l) with data.schemes as fixture.world.schemes
		with data.tenants as fixture.world.tenants
		with input as fixture.valid
}

test_a_label_dominates_itself_and_what_protects_less if {
	_dominates({}, {})
	_dominates({"level": "TOP"}, {})
	_dominates({"categories": {"comp": ["X", "Y"], "team": ["RED", "BLUE"]}}, {})
	_dominates({"categories": {"comp": ["X"], "team": ["RED"]}}, {})
	_dominates({"handling": ["CARE", "ORIG"]}, {})
	_dominates({"release": ["AAA"]}, {})
	_dominates({"release": null}, {})
	_dominates({"release": null, "nation": ["AAAONLY"]}, {})
	_dominates({"created": "2023-01-01T00:00:00.000000000Z"}, {})
	_dominates({"categories": {"team": ["RED"]}}, {"categories": {"comp": []}})
}

test_a_label_does_not_dominate_what_protects_more if {
	not _dominates({"level": "LOW"}, {})
	not _dominates({"level": "WRONG"}, {})
	not _dominates({"categories": {"team": ["RED", "BLUE"]}}, {})
	not _dominates({"categories": {"comp": [], "team": ["RED", "BLUE"]}}, {})
	not _dominates({"categories": {"comp": ["X"], "team": []}}, {}) # empty is not narrower
	not _dominates({"categories": {"comp": ["X"]}}, {}) # absent is wider
	not _dominates({}, {"categories": {"comp": ["X"], "team": ["RED"]}})
	not _dominates({"handling": []}, {})
	not _dominates({}, {"release": null})
	not _dominates({"release": null}, {"release": null, "nation": ["AAAONLY"]})
	not _dominates({"created": "2025-01-01T00:00:00.000000000Z"}, {})
	not _dominates({}, {"created": null})
	not _dominates({"created": null}, {})
	not _dominates({}, {"categories": {"zone": ["X"]}})
	not _dominates({"handling": null}, {"handling": []})
}

test_a_label_shows_no_more_than_what_it_dominates if {
	_dominates({}, {"display": ["CCC"]})
	_dominates({"display": ["CCC"]}, {"display": ["CCC", "DDD"]})
	_dominates({"release": ["AAA"], "display": ["BBB"]}, {}) # l is released to BBB
	not _dominates({"display": ["CCC"]}, {})
	not _dominates({"display": ["CCC", "DDD"]}, {"display": ["CCC"]})
	not _dominates({"release": ["AAA", "BBB"]}, {"release": ["AAA"], "display": ["BBB"]}) # to give is more than to show
	not _dominates({}, {"display": 1, "release": null})
	not _dominates({"display": 1}, {})
}

test_every_alternative_must_dominate if {
	low := fixture.changed({"level": "LOW"})
	not _dominates({"level": "TOP", "alternatives": [low]}, {})
	_dominates({"level": "TOP", "alternatives": [fixture.changed({"level": "TOP"})]}, {})
}

_dominates_until(end) if {
	later := fixture.changed({"created": "2025-01-01T00:00:00.000000000Z"})
	ending := fixture.set_to(["acme", "agreements", "equivalences", 0, "labels_to"], end)
	dominance.dominates("acme", fixture.label, later) with data.schemes as fixture.world.schemes
		with data.tenants as json.patch(fixture.world.tenants, [ending])
		with input as fixture.valid
}

test_an_older_label_dominates_unless_an_equivalence_ended_since if {
	_dominates_until(null)
	_dominates_until("2025-01-01T00:00:00.000000001Z")
	not _dominates_until("2025-01-01T00:00:00.000000000Z")
	_dominates_until(fixture.label.created) # it reached neither
}

_plain := fixture.changed({"categories": {}, "handling": []})

_foreign := fixture.changed({"scheme": "BBB", "level": "ONE", "categories": {}, "handling": []})

_equivalence(use) := fixture.set_to(["acme", "agreements", "equivalences", 0], {
	"id": "mark",
	"use": use,
	"agreement": "ab",
	"label": ["AAA", "MID"],
	"clearance": ["BBB", "ONE"],
	"labels_from": fixture.label.created,
	"labels_to": null,
})

# The scheme BBB gives a value the same name, and another meaning.
_dominates_by_name(label, categories) if {
	row := json.patch(_equivalence("marking"), [fixture.set_to(["value", "categories"], categories)])
	dominance.dominates("acme", json.patch(_foreign, [fixture.set_to(["categories"], {"comp": ["X"]}), fixture.set_to(["handling"], ["CARE"])]), label) with data.schemes as fixture.world.schemes
		with data.tenants as json.patch(fixture.world.tenants, [row])
		with input as fixture.valid
}

test_a_value_is_translated_only_where_the_row_lists_it if {
	comp := fixture.changed({"categories": {"comp": ["X"]}, "handling": []})
	_dominates_by_name(comp, {"comp": ["X"]})
	not _dominates_by_name(comp, {})
	not _dominates_by_name(comp, {"comp": ["Y"]})
	not _dominates_by_name(fixture.changed({"categories": {}}), {}) # CARE
	_dominates_by_name(fixture.changed({"categories": {"note": ["N"]}, "handling": []}), {}) # informative
}

_foreign_dominates(use) if {
	dominance.dominates("acme", _foreign, _plain) with data.schemes as fixture.world.schemes
		with data.tenants as json.patch(fixture.world.tenants, [_equivalence(use)])
		with input as fixture.valid
}

test_another_scheme_dominates_only_by_an_equivalence_for_marking if {
	_foreign_dominates("marking")
	not _foreign_dominates("clearance")
	not _foreign_dominates("ceiling")
}

test_no_label_is_not_covered if {
	not dominance.covers("acme", [fixture.label], []) with data.schemes as fixture.world.schemes
	not dominance.covers("acme", [], [fixture.label]) with data.schemes as fixture.world.schemes
	dominance.covers("acme", [fixture.label], [fixture.label]) with data.schemes as fixture.world.schemes
}
