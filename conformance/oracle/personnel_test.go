package oracle_test

import "github.com/sallyport-dev/sallyport/authz"

// approvals gives the operator an approval with one thing different, and approvers says by whom.
var (
	approvals = of(func(in *authz.Input, f func(*authz.Approval)) {
		a := approval()
		f(&a)
		in.Context.Approvals = []authz.Approval{a}
	},
		func(*authz.Approval) {},
		func(a *authz.Approval) { a.Operator = "provider|otto" },
		func(a *authz.Approval) { a.Row = "fjord-deep/dive/" },
		func(a *authz.Approval) { a.Actions = nil },
		func(a *authz.Approval) { a.Actions = names("create", "update", "delete", "execute") },
		func(a *authz.Approval) { a.Enclave = "abroad" },
		func(a *authz.Approval) { a.Enclave = "" },
		func(a *authz.Approval) { a.Justification = "CURIOSITY" },
		func(a *authz.Approval) { a.NotBefore = at("2026-12-01") },
		func(a *authz.Approval) { a.NotAfter = authz.At(now) },
		func(a *authz.Approval) { a.NotAfter = authz.Time{} },
	)
	approvers = of(func(in *authz.Input, v []string) {
		if a := in.Context.Approvals; len(a) > 0 {
			a[0].Approvers = v
		}
	}, names("nor|a", "nor|b"), names("nor|a"), names("nor|a", "nor|a"), names("nor|a", "provider|olga"), names("nor|a", "nor|b", "provider|olga"), names(), nil)
	approvalLists = of(func(in *authz.Input, v int) {
		one, other := approval(), approval()
		one.Justification, other.Approvers = "CURIOSITY", names("nor|a")
		switch v {
		case 1:
			in.Context.Approvals = nil
		case 2:
			in.Context.Approvals = []authz.Approval{one, other} // no single one has all
		case 3:
			in.Context.Approvals = append(in.Context.Approvals, one)
		}
	}, 0, 1, 2, 3)
	purposes = of(func(in *authz.Input, v string) {
		if in.Context.Purpose = &v; v == "" {
			in.Context.Purpose = nil
		}
	}, "", "break_glass:STORM", "break_glass:WAR", "break_glass:", "STORM", "break_glass:storm")
	operators = of(func(in *authz.Input, v string) { in.Subject.ID = v }, "provider|olga", "provider|otto", "nor|olga")
	loggedIn  = of(func(in *authz.Input, v int64) {
		if in.Subject.Properties.Assurance.AgeSeconds = &v; v < 0 {
			in.Subject.Properties.Assurance.AgeSeconds = nil
		}
	}, -1, 0, 600, 601)
)
