# METADATA
# title: Traps
# description: |
#   Where national schemes mislead: names that mean different levels, levels that were dropped, mentions that are no levels, scales
#   without an order, tables that end. Each is tried on the schemes that are shipped, in the invented world of the other tests, where
#   the tenant that owns the label follows every published row. They stand apart from compliance, because a bundle may hold other schemes.
package traps_test

import data.compliance.fixture

_created := fixture.label.created

_label(scheme, level) := {
	"scheme": scheme, "level": level, "categories": {}, "release": null, "display": null, "nation": [], "handling": [],
	"created": _created, "alternatives": [],
}

_cleared(scheme, level) := {
	"scheme": scheme, "levels": _up_to(scheme, level), "native": "", "categories": {}, "sponsor": "aaa",
	"not_before": fixture.time, "not_after": fixture.after,
}

_up_to(scheme, level) := [l.id | some top in data.schemes[scheme].levels; top.id == level; some l in data.schemes[scheme].levels; l.hierarchy <= top.hierarchy]

_nation(scheme) := data.schemes[scheme].nation

# Published rows as the tenant that owns the label follows them, under one agreement of everybody.
_followed(scheme) := [row |
	some published in object.get(data.schemes[scheme], "equivalences", [])
	row := {
		"id": published.id, "use": published.use, "agreement": "all", "label": [scheme, published.level], "clearance": published.clearance,
		"labels_from": published.labels_from, "labels_to": published.labels_to,
	}
]

_tags(l) := sort((({v | some values in l.categories; some v in values} | {v | some v in l.nation}) | {v | some v in l.handling}))

# A member of the owner's tenant, affiliated with a country and cleared so, reads what is labelled so.
_reads(l, clearance, country, input_patches) := _reads_under(_followed(l.scheme), l, clearance, country, input_patches)

_reads_under(rows, l, clearance, country, input_patches) := fixture.decide(
	array.concat(
		[
			fixture.resource(["labels"], [l]),
			fixture.resource(["owner", "nation"], _nation(l.scheme)),
			fixture.subject(["clearances"], [clearance]),
			fixture.subject(["affiliation", "country"], country),
			fixture.subject(["nationalities"], [country]),
		],
		input_patches,
	),
	array.concat(
		[
			fixture.set_to(["schemes"], data.schemes),
			fixture.set_to(["tenants", "acme", "tenant", "services", "s3"], {l.scheme: [l.level]}),
			fixture.set_to(["tenants", "acme", "agreements"], {
				"agreements": {"all": {"parties": [s.nation | some s in data.schemes], "not_before": fixture.time, "not_after": fixture.after}},
				"equivalences": rows,
			}),
		],
		[fixture.set_to(["enclaves", e, "ceiling"], [{"scheme": l.scheme, "level": l.level, "tags": _tags(l)}]) | some e in ["e1", "e2"]],
	),
)

_released(l, countries) := object.union(l, {"release": array.concat([_nation(l.scheme)], countries)})

_behind_equivalence := {"clearance.level", "category.restrictive", "category.permissive"}

_no_equivalence := fixture.deny({"equivalence.absent"}, _behind_equivalence)

# Dropped levels: what came in as CONFIDENTIAL is protected by the next higher level, and never by a lower one.
test_trap_a_dropped_level_is_protected_by_the_next_higher if {
	confidential := _released(_label("USA", "CONFIDENTIAL"), ["GBR"])
	up := [{
		"id": "up", "use": "clearance", "agreement": "all", "label": ["USA", "CONFIDENTIAL"], "clearance": ["GBR", "SECRET"],
		"labels_from": _created, "labels_to": null,
	}]
	_reads_under(up, confidential, _cleared("GBR", "SECRET"), "GBR", []) == fixture.allow
	_reads_under(up, confidential, _cleared("GBR", "OFFICIAL"), "GBR", []).reasons == {"clearance.level"}
	_reads_under([], confidential, _cleared("GBR", "TOP SECRET"), "GBR", []) == _no_equivalence
}

test_trap_a_dropped_level_is_no_level_any_more if {
	every dropped in [["GBR", "CONFIDENTIAL"], ["GBR", "RESTRICTED"], ["AUS", "CONFIDENTIAL"], ["FRA", "CONFIDENTIEL DEFENSE"]] {
		_reads(_label(dropped[0], dropped[1]), _cleared(dropped[0], "SECRET"), dropped[0], []).reasons & {"label.unknown"} == {"label.unknown"}
	}
}

# OFFICIAL covers all government business, is not public, and is nobody's UNCLASSIFIED or RESTRICTED.
test_trap_official_is_equivalent_to_nothing if {
	official := _released(_label("GBR", "OFFICIAL"), ["USA", "DEU"])
	_reads(_label("GBR", "OFFICIAL"), _cleared("GBR", "OFFICIAL"), "GBR", []) == fixture.allow
	_reads(official, _cleared("USA", "TOP SECRET"), "USA", []) == _no_equivalence
	_reads(official, _cleared("DEU", "STRENG GEHEIM"), "DEU", []) == _no_equivalence
}

# False friends: in the EU's table RESERVADO stands beside SECRET, RISERVATO beside RESTRICTED.
test_trap_reservado_is_secret_and_riservato_is_restricted if {
	secret := _released(_label("EU", "S-UE/EU-S"), [])
	_reads(secret, _cleared("ESP", "RESERVADO"), "ESP", []) == fixture.allow
	_reads(secret, _cleared("ITA", "RISERVATO"), "ITA", []).reasons == {"clearance.level"}
	_reads(_label("EU", "R-UE/EU-R"), _cleared("ITA", "RISERVATO"), "ITA", []) == fixture.allow
	_reads(_label("ESP", "RESERVADO"), _cleared("ITA", "RISERVATO"), "ITA", []).reasons == {"equivalence.absent", "release.nation"}
}

# A level has the same name in several schemes and means something in its own only.
test_trap_a_name_is_no_level_of_another_scheme if {
	every pair in [["USA", "GBR", "TOP SECRET"], ["GBR", "CAN", "TOP SECRET"], ["CAN", "AUS", "TOP SECRET"], ["AUS", "NZL", "TOP SECRET"], ["USA", "FRA", "SECRET"], ["CAN", "NZL", "CONFIDENTIAL"]] {
		l := _released(_label(pair[0], pair[2]), [_nation(pair[1])])
		_reads_under([], l, _cleared(pair[1], pair[2]), _nation(pair[1]), []) == _no_equivalence
	}
}

test_trap_protected_and_sensitive_are_three_nations_words if {
	_reads(_label("AUS", "PROTECTED"), _cleared("AUS", "PROTECTED"), "AUS", []) == fixture.allow
	_reads(_released(_label("AUS", "PROTECTED"), ["CAN"]), _cleared("CAN-PROTECTED", "PROTECTED C"), "CAN", []) == _no_equivalence
	_reads(_released(_label("CAN-PROTECTED", "PROTECTED B"), ["AUS"]), _cleared("AUS", "TOP SECRET"), "AUS", []) == _no_equivalence
	_reads(_released(_label("AUS", "OFFICIAL: Sensitive"), ["NZL"]), _cleared("NZL-POLICY", "SENSITIVE"), "NZL", []) == _no_equivalence
}

# Mentions: they may stand beside a level, and are none.
test_trap_a_mention_is_no_level if {
	every mention in [
		["FRA", "DIFFUSION RESTREINTE"], ["FRA", "MENTION"], ["EU", "LIMITE"], ["USA", "CUI"], ["USA", "FOUO"], ["USA", "RESTRICTED"],
		["GBR", "OFFICIAL-SENSITIVE"], ["GBR", "SENSITIVE"], ["NATO", "ATOMAL"],
	] {
		top := [l.id | some l in data.schemes[mention[0]].levels]
		_reads(_label(mention[0], mention[1]), _cleared(mention[0], top[count(top) - 1]), _nation(mention[0]), []).reasons & {"label.unknown"} == {"label.unknown"}
	}
}

test_trap_a_mention_beside_a_level_raises_and_lowers_nothing if {
	every l in [
		object.union(_label("GBR", "OFFICIAL"), {"handling": ["SENSITIVE"]}),
		object.union(_label("USA", "UNCLASSIFIED"), {"handling": ["CUI"]}),
		object.union(_label("EU", "R-UE/EU-R"), {"handling": ["LIMITE"]}),
		object.union(_label("FRA", "SECRET"), {"handling": ["DIFFUSION RESTREINTE"]}),
	] {
		_reads(l, _cleared(l.scheme, l.level), _nation(l.scheme), []) == fixture.allow
	}
	sensitive := object.union(_label("GBR", "SECRET"), {"handling": ["SENSITIVE"]})
	_reads(sensitive, _cleared("GBR", "SECRET"), "GBR", []) == fixture.deny({"label.invalid"}, set())
}

test_trap_nato_unclassified_is_not_public if {
	unclassified := _label("NATO", "NATO UNCLASSIFIED")
	_reads(unclassified, _cleared("NATO", "NATO UNCLASSIFIED"), "DEU", []) == fixture.allow
	_reads(_released(unclassified, ["USA"]), _cleared("USA", "UNCLASSIFIED"), "USA", []) == _no_equivalence
	_reads(unclassified, _cleared("DEU", "STRENG GEHEIM"), "DEU", []) == _no_equivalence
}

# Two scales of one nation: no order stands between them, and a label of each must pass.
test_trap_two_scales_of_one_nation_have_no_order if {
	_reads(_label("CAN-PROTECTED", "PROTECTED A"), _cleared("CAN", "TOP SECRET"), "CAN", []) == _no_equivalence
	_reads(_label("CAN", "CONFIDENTIAL"), _cleared("CAN-PROTECTED", "PROTECTED C"), "CAN", []) == _no_equivalence
	_reads(_label("NZL-POLICY", "IN-CONFIDENCE"), _cleared("NZL", "TOP SECRET"), "NZL", []) == _no_equivalence
	both := fixture.set_to(["resource", "properties", "labels", 1], _label("NZL", "RESTRICTED"))
	"equivalence.absent" in _reads(_label("NZL-POLICY", "IN-CONFIDENCE"), _cleared("NZL-POLICY", "SENSITIVE"), "NZL", [both]).unproven
}

# An equivalence is for protection: it releases nothing.
test_trap_an_equivalence_is_no_release if {
	secret := _label("EU", "S-UE/EU-S")
	_reads(secret, _cleared("USA", "SECRET"), "USA", []) == fixture.deny({"release.nation"}, set())
	_reads(_released(secret, ["USA"]), _cleared("USA", "SECRET"), "USA", []) == fixture.allow
}

test_trap_an_equivalence_has_one_direction if {
	one_way := _followed("EU")
	german := _released(_label("DEU", "GEHEIM"), ["EUE"])
	_reads_under(one_way, german, _cleared("EU", "S-UE/EU-S"), "EUE", []) == _no_equivalence
	_reads(german, _cleared("EU", "S-UE/EU-S"), "EUE", []) == fixture.allow
}

# A label without REL is not for everyone cleared.
test_trap_a_missing_release_list_is_not_everyone if {
	_reads(_label("USA", "SECRET"), _cleared("USA", "SECRET"), "USA", []) == fixture.allow
	_reads(_label("USA", "SECRET"), _cleared("USA", "SECRET"), "GBR", []) == fixture.deny({"release.nation"}, set())
}

# Dates: of the label, not of today.
_of(l, day) := object.union(l, {"created": concat("", [day, "T00:00:00.000000000Z"])})

test_trap_france_changed_its_levels_in_2021 if {
	legacy := _label("FRA-LEGACY", "SECRET DEFENSE")
	_reads(_of(legacy, "2021-06-30"), _cleared("FRA-LEGACY", "SECRET DEFENSE"), "FRA", []) == fixture.allow
	_reads(_of(legacy, "2021-07-01"), _cleared("FRA-LEGACY", "SECRET DEFENSE"), "FRA", []) == fixture.deny({"label.invalid"}, set())
	_reads(_of(legacy, "2021-06-30"), _cleared("FRA", "TRES SECRET"), "FRA", []) == _no_equivalence
	_reads(_of(_label("FRA", "SECRET"), "2021-07-01"), _cleared("FRA", "SECRET"), "FRA", []) == fixture.allow
	_reads(_of(_label("FRA", "SECRET"), "2021-06-30"), _cleared("FRA", "SECRET"), "FRA", []) == fixture.deny({"label.invalid"}, set())
}

test_trap_the_united_kingdom_changed_its_levels_in_2014 if {
	_reads(_of(_label("GBR", "SECRET"), "2014-04-02"), _cleared("GBR", "SECRET"), "GBR", []) == fixture.allow
	_reads(_of(_label("GBR", "SECRET"), "2014-04-01"), _cleared("GBR", "SECRET"), "GBR", []) == fixture.deny({"label.invalid"}, set())
}

test_trap_a_row_is_about_labels_of_its_dates if {
	secret := _released(_label("EU", "S-UE/EU-S"), ["GBR"])
	_reads(_of(secret, "2020-01-31"), _cleared("GBR", "SECRET"), "GBR", []) == fixture.allow
	_reads(_of(secret, "2020-02-01"), _cleared("GBR", "SECRET"), "GBR", []) == _no_equivalence
	_reads(_of(secret, "2014-04-13"), _cleared("GBR", "SECRET"), "GBR", []) == _no_equivalence
	_reads(_of(secret, "2021-06-30"), _cleared("FRA", "SECRET"), "FRA", []) == _no_equivalence
	_reads(_of(secret, "2021-07-01"), _cleared("FRA", "SECRET"), "FRA", []) == fixture.allow
}

# The gaps of the published tables stay gaps.
test_trap_restreint_ue_has_no_equivalent_in_the_usa if {
	restricted := _released(_label("EU", "R-UE/EU-R"), ["USA"])
	_reads(restricted, _cleared("USA", "TOP SECRET"), "USA", []) == _no_equivalence
	_reads(_released(_label("EU", "C-UE/EU-C"), ["USA"]), _cleared("USA", "CONFIDENTIAL"), "USA", []) == fixture.allow
	_reads(restricted, _cleared("DEU", "VS-NFD"), "DEU", []) == fixture.allow
	_reads(restricted, _cleared("FRA", "TRES SECRET"), "FRA", []) == _no_equivalence
}

# Membership: an organization's labels are its members', while they are.
test_trap_members_come_and_go if {
	_reads(_label("NATO", "NATO SECRET"), _cleared("NATO", "NATO SECRET"), "SWE", []) == fixture.allow
	_reads(_label("NATO", "NATO SECRET"), _cleared("NATO", "NATO SECRET"), "AUT", []) == fixture.deny({"release.nation"}, set())
	_reads(_label("EU", "S-UE/EU-S"), _cleared("EU", "S-UE/EU-S"), "AUT", []) == fixture.allow
	_reads(_of(_label("EU", "S-UE/EU-S"), "2019-01-01"), _cleared("EU", "S-UE/EU-S"), "GBR", []) == fixture.deny({"release.nation"}, set())
	_reads(_label("NATO", "NATO SECRET"), _cleared("DEU", "GEHEIM"), "DEU", []) == fixture.allow
	_reads(_label("NATO", "NATO SECRET"), _cleared("DEU", "VS-VERTRAULICH"), "DEU", []).reasons == {"clearance.level"}
}

# ADatP-4774's table 18: "CAN, USA Only, Releasable To SWE" with the clearance that annex A prescribes for a partner.
test_trap_only_and_releasable_to_must_both_be_met if {
	l := object.union(_released(_label("NATO", "NATO CONFIDENTIAL"), ["SWE"]), {"categories": {"only": ["CAN", "USA"]}})
	partner := object.union(_cleared("NATO", "NATO CONFIDENTIAL"), {"categories": {"only": ["SWE"]}})
	american := object.union(partner, {"categories": {"only": ["USA"]}})
	_reads(l, partner, "SWE", []) == fixture.deny({"category.permissive"}, set())
	_reads(l, american, "USA", []) == fixture.allow
}

# United States markings.
test_trap_a_compartment_wants_top_secret_whatever_the_level if {
	l := object.union(_label("USA", "SECRET"), {"categories": {"sci": ["SI", "TK"]}})
	read_in := {"categories": {"sci": ["SI", "TK"]}}
	_reads(l, object.union(_cleared("USA", "TOP SECRET"), read_in), "USA", []) == fixture.allow
	_reads(l, object.union(_cleared("USA", "SECRET"), read_in), "USA", []).reasons == {"clearance.level"}
	_reads(l, _cleared("USA", "TOP SECRET"), "USA", []).reasons == {"category.restrictive"}
}

test_trap_a_special_access_program_wants_its_own_read_in if {
	l := object.union(_label("USA", "TOP SECRET"), {"categories": {"sap": ["SAR-BP"]}})
	_reads(l, _cleared("USA", "TOP SECRET"), "USA", []).reasons == {"category.restrictive"}
	_reads(l, object.union(_cleared("USA", "TOP SECRET"), {"categories": {"sap": ["SAR-BP"]}}), "USA", []) == fixture.allow
}

test_trap_noforn_stands_beside_neither_release_nor_display_nor_relido if {
	noforn := object.union(_label("USA", "SECRET"), {"nation": ["NOFORN"]})
	_reads(noforn, _cleared("USA", "SECRET"), "USA", []) == fixture.allow
	every beside in [{"release": ["USA", "GBR"]}, {"display": ["GBR"]}, {"categories": {"dissemination_notice": ["RELIDO"]}}, {"nation": ["NOFORN", "EYES"]}] {
		_reads(object.union(noforn, beside), _cleared("USA", "SECRET"), "USA", []) == fixture.deny({"label.invalid"}, set())
	}
}

test_trap_eyes_stands_beside_its_list_and_is_for_five_nations if {
	eyes := object.union(_label("USA", "SECRET"), {"nation": ["EYES"]})
	_reads(object.union(eyes, {"release": ["USA", "GBR"]}), _cleared("USA", "SECRET"), "GBR", []) == fixture.allow
	_reads(object.union(eyes, {"release": ["USA", "DEU"]}), _cleared("USA", "SECRET"), "DEU", []) == fixture.deny({"release.nation"}, set())
}

test_trap_markings_without_effect_on_access_have_none if {
	every categories in [{"dissemination_notice": [v]} | some v in ["RELIDO", "RSEN", "IMCON"]] {
		_reads(object.union(_label("USA", "SECRET"), {"categories": categories}), _cleared("USA", "SECRET"), "USA", []) == fixture.allow
	}
	every notice in ["FGI", "FRD", "TFNI"] {
		_reads(object.union(_label("USA", "SECRET"), {"handling": [notice]}), _cleared("USA", "SECRET"), "USA", []) == fixture.allow
	}
}

test_trap_gamma_is_top_secret_and_originator_controlled if {
	read_in := object.union(_cleared("USA", "TOP SECRET"), {"categories": {"sci": ["SI-G"]}})
	gamma := object.union(_label("USA", "TOP SECRET"), {"categories": {"sci": ["SI-G"]}})
	_reads(gamma, read_in, "USA", []) == fixture.deny({"label.invalid"}, set())
	_reads(object.union(gamma, {"handling": ["ORCON"]}), read_in, "USA", []).reasons == {"release.originator"}
	_reads(object.union(gamma, {"level": "SECRET", "handling": ["ORCON"]}), read_in, "USA", []).reasons == {"label.invalid"}
}

# Australia bars a seconded foreign national from AUSTEO, and not from AGAO (ISM-0409, ISM-0411).
test_trap_a_seconded_foreign_national_reads_agao_and_not_austeo if {
	seconded := [fixture.subject(["nationalities"], ["GBR"])]
	agao := object.union(_label("AUS", "SECRET"), {"nation": ["AGAO"]})
	austeo := object.union(_label("AUS", "SECRET"), {"nation": ["AUSTEO"]})
	_reads(agao, _cleared("AUS", "SECRET"), "AUS", seconded) == fixture.allow
	_reads(austeo, _cleared("AUS", "SECRET"), "AUS", seconded) == fixture.deny({"release.nation"}, set())
	_reads(austeo, _cleared("AUS", "SECRET"), "AUS", []) == fixture.allow
	_reads(agao, _cleared("AUS", "SECRET"), "GBR", []) == fixture.deny({"release.nation"}, set())
}
