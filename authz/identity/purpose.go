package identity

import (
	"regexp"

	"github.com/sallyport-dev/sallyport/authz"
)

// purposeHeader is where a client says what a request is for. It never goes upstream.
const purposeHeader = "x-sallyport-purpose"

// purposeForm is a word and, behind a colon, a code: break_glass:PRODUCTION_ALERT.
var purposeForm = regexp.MustCompile(`^[a-z][a-z_]{0,30}(:[A-Z][A-Z0-9_]{0,62})?$`)

// purpose returns what a client says that its request is for, nil if it says nothing. What is said in two ways, or in a form that
// two readers could take for different things, is refused.
func purpose(h authz.Headers) (*string, *authz.Refusal) {
	p, n := h.Get(purposeHeader)
	switch {
	case n == 0:
		return nil, nil
	case n > 1 || !purposeForm.MatchString(p):
		return nil, authz.Refuse(authz.RequestAmbiguous, purposeHeader+": want one word, or a word and a code, such as break_glass:CODE")
	}
	return &p, nil
}
