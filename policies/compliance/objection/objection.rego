# METADATA
# title: Objections of overlays
# description: |
#   A tenant's overlay (package overlay.<tenant>) can only object, and only to what is the tenant's: the objections of other tenants
#   are never looked at. It is the one check whose proof is that nobody objects.
package compliance.objection

# METADATA
# title: The owner's overlay does not object
# custom: {id: overlay.objected, controls: [AC-3]}
satisfied contains "overlay.objected" if count(objections) == 0

# METADATA
# title: Objections to the access
objections := {text | some text in data.overlay[input.resource.properties.tenant].object}
