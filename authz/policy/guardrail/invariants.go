package guardrail

// invariant is one sentence that every policy must keep.
type invariant struct{ id, says string }

// invariants are those of the domain (I-n) and of the decision model (M-n) that a compiled policy can be held to.
var invariants = []invariant{
	{"I-1", "A lower or missing clearance never opens more: without the label's level nobody passes."},
	{"I-2", "A higher label never opens more: nobody reads above his clearance."},
	{"I-3", "Without a category, community or read-in that the label wants nobody passes."},
	{"I-4", "A restrictive value more on the label never opens more."},
	{"I-5", "A value less in a permissive set never opens more, and an empty set lets nobody in."},
	{"I-6", "What is missing, null or of the wrong type denies; absent is never any."},
	{"I-7", "An unknown value, tag, scheme, country, verb or kind denies."},
	{"I-8", "Between schemes only an equivalence in force at both of its clocks counts."},
	{"I-9", "Several labels are passed only if each is passed."},
	{"I-10", "A nation tag lets only that nation in, and never stands beside a release list."},
	{"I-11", "Released is who the release list names, with the owner in it; no list is the owner alone."},
	{"I-12", "Nothing is written below what the session has seen, and no label gets looser without authority."},
	{"I-13", "What is written is protected at least as each of its sources."},
	{"I-14", "What an issuer may not say proves nothing."},
	{"I-15", "Informative tags, the order of lists and repeated values decide nothing."},
	{"I-16", "A name decides nothing, but for approvals and revocations."},
	{"I-17", "A shorter list of countries, services or persons never opens more, and an unlisted place denies."},
	{"I-18", "No place holds a label above its ceiling, and a gateway judges only its own places."},
	{"I-19", "Export-controlled data goes to no foreign person and no unlicensed destination, whatever the clearance."},
	{"I-20", "An operator passes only with an approval in force of others, for exactly this."},
	{"I-22", "What has ended or not begun proves nothing."},
	{"I-23", "Stale facts never open more."},
	{"I-24", "A clock that nobody trusts proves nothing."},
	{"I-27", "What an originator or a hold asks for is never dropped."},
	{"I-29", "Another tenant's people and facts decide nothing here."},
	{"I-31", "The invented world's plain accesses are allowed, so that each denial shows what policy looks at."},
	{"M1", "A partner passes only within its grant, and never further than a national of the owner with the translated clearance."},
	{"M2", "Equivalences are never inverted and never composed."},
	{"M3", "One clearance carries a label whole."},
	{"M4", "A copy makes no reader of the target who could not read the source."},
	{"M5", "Adverse attributes only deny."},
	{"M6", "An allow has nothing unproven, and a denial has a root cause."},
	{"M7", "A sponsor's word counts only for its own nation's schemes."},
	{"M8", "An approval holds for exactly its row, a partner's grant for every row under its prefix."},
	{"M9", "What a stranger sees is the same whether the object exists or not."},
}
