package s3

import (
	"fmt"
	"strings"

	"github.com/sallyport-dev/sallyport/authz"
)

// maxDetail bounds what a refusal repeats of a request, so that a long one doesn't fill the log.
const maxDetail = 400

// ambiguous refuses what two readers could understand differently.
func ambiguous(format string, args ...any) *authz.Refusal {
	return refuse(authz.RequestAmbiguous, format, args...)
}

// unsupported refuses what is on no closed list.
func unsupported(format string, args ...any) *authz.Refusal {
	return refuse(authz.RequestUnsupported, format, args...)
}

func refuse(reason authz.Reason, format string, args ...any) *authz.Refusal {
	detail := fmt.Sprintf(format, args...) // values go in by %q, so the detail is one line of plain text
	if len(detail) > maxDetail {
		detail = strings.ToValidUTF8(detail[:maxDetail], "") + " (cut)"
	}
	return authz.Refuse(reason, detail)
}
