package identity

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sallyport-dev/sallyport/authz"
)

// maxSkew is how far an issuer's clock may be ahead. There is none for exp: a token that has ended has ended.
const maxSkew = 30 * time.Second

// verified is what was proven of a token once, by one set of its issuer's keys. Nothing in it depends on the time or on the
// request, and it is never changed: many requests share it.
type verified struct {
	issuer     *issuer
	generation uint64 // of the issuer's keys
	at         time.Time
	kid        string
	reg        registered
	authTime   int64         // 0 if absent
	subject    authz.Subject // cut to the grant, without AgeSeconds and Binding
}

// Verify returns who asks. Its error is an *authz.Refusal: identity.missing, identity.invalid, identity.issuer, identity.expired,
// identity.revoked, identity.binding, freshness.revocation, request.ambiguous or system.overloaded. An issuer without current keys is identity.invalid: nothing says that the token is its.
//
// The subject shares lists with that of other requests with the same token, so it must not be changed.
func (v *Verifier) Verify(ctx context.Context, req authz.Request) (authz.Subject, error) {
	if req.Problem != nil {
		return authz.Subject{}, req.Problem
	}
	if ctx.Err() != nil {
		return authz.Subject{}, authz.Refuse(authz.SystemTimeout, "no time left to verify the token")
	}
	c, refusal := credential(req.Headers)
	if refusal != nil {
		return authz.Subject{}, refusal
	}
	now := v.now()
	s, refusal := v.bearer(ctx, req, c, now)
	if refusal != nil {
		return authz.Subject{}, refusal
	}
	if s.Purpose, refusal = purpose(req.Headers); refusal != nil {
		return authz.Subject{}, refusal
	}
	carried, refusal := v.carriedApprovals(ctx, req.Headers, s.ID, now)
	if refusal != nil {
		return authz.Subject{}, refusal
	}
	s.Approvals = slices.Concat(s.Approvals, carried)
	if s.Approvals == nil {
		s.Approvals = []authz.Approval{}
	}
	return s, nil
}

// bearer returns who the token and the client's certificate say that asks: the subject of the token, with the workload of the
// certificate in between, or that workload by itself.
func (v *Verifier) bearer(ctx context.Context, req authz.Request, c presented, now time.Time) (authz.Subject, *authz.Refusal) {
	if c.token == "" {
		w, refusal := v.workload(req.Peer, now)
		switch {
		case refusal != nil:
			return authz.Subject{}, refusal
		case w == nil:
			return authz.Subject{}, authz.Refuse(authz.IdentityMissing, "no credential")
		}
		return w.asOf(now, "mtls"), nil
	}
	t, refusal := v.token(ctx, c.token, now)
	if refusal != nil {
		return authz.Subject{}, refusal
	}
	binding, refusal := t.bound(ctx, req, c, now)
	if refusal != nil {
		return authz.Subject{}, refusal
	}
	w, refusal := v.workload(req.Peer, now)
	if refusal != nil {
		return authz.Subject{}, refusal
	}
	s := t.asOf(now, binding)
	if w != nil {
		s.Properties.Via = slices.Concat(s.Properties.Via, []authz.Via{w.via()})
		if w.subject.Evidence.Expires.Before(s.Evidence.Expires.Time) {
			s.Evidence.Expires = w.subject.Evidence.Expires // a stream ends with the shorter authority
		}
	}
	return s, nil
}

// token returns what is proven of a token and holds now.
func (v *Verifier) token(ctx context.Context, compact string, now time.Time) (*verified, *authz.Refusal) {
	t, ok := v.recall(compact, now)
	if !ok {
		var refusal *authz.Refusal
		if t, refusal = v.prove(ctx, compact, now); refusal != nil {
			return nil, refusal
		}
	}
	if refusal := t.inForce(now); refusal != nil {
		return nil, refusal
	}
	if refusal := v.standing(t); refusal != nil {
		return nil, refusal
	}
	if !ok {
		v.memory.put(compact, t)
	}
	return t, nil
}

// recall returns what is remembered of a token, unless its issuer's keys have changed since or are too old to count.
func (v *Verifier) recall(compact string, now time.Time) (*verified, bool) {
	t, ok := v.memory.get(compact)
	if ok {
		age := now.Sub(t.at)
		ok = t.generation == t.issuer.keys.generation() && age >= 0 && age < maxRemembered
	}
	v.stats.count(ok)
	return t, ok
}

// prove takes a token through all gates but the time.
func (v *Verifier) prove(ctx context.Context, compact string, now time.Time) (*verified, *authz.Refusal) {
	t, err := parseToken(compact)
	if err != nil {
		return nil, authz.Refuse(authz.IdentityInvalid, "token: "+err.Error())
	}
	i, ok := v.issuers[t.iss]
	if !ok {
		return nil, authz.Refuse(authz.IdentityIssuer, "no issuer "+quote(t.iss)+" in the bundle")
	}
	k, generation, err := i.key(t)
	if err != nil {
		return nil, i.invalid(t.kid, err)
	}
	if !i.keys.slots.take(ctx) {
		return nil, authz.Refuse(authz.SystemOverloaded, i.names(t.kid)+"too many tokens of this issuer are being verified")
	}
	defer i.keys.slots.give()
	if known, ok := v.memory.get(compact); ok && known.generation == generation {
		return known, nil // another request has proven it while this one waited
	}
	if err := t.signedBy(k); err != nil {
		return nil, i.invalid(t.kid, err)
	}
	known, refusal := v.claimed(i, t)
	if refusal != nil {
		return nil, refusal
	}
	known.generation, known.at = generation, now
	return known, nil
}

// claimed reads what a token whose signature holds says, and cuts it to what its issuer may say.
func (v *Verifier) claimed(i *issuer, t token) (*verified, *authz.Refusal) {
	reg, err := readRegistered(t.claims)
	if err != nil {
		return nil, i.invalid(t.kid, err)
	}
	if err := v.sane(i, reg, i.entry.MaxLifetime); err != nil {
		return nil, i.invalid(t.kid, err)
	}
	if i.entry.Claims != nil {
		if t.claims, err = i.entry.Claims.apply(t.claims, v.schemes, v.forms); err != nil {
			return nil, i.invalid(t.kid, err)
		}
	}
	c, err := readClaims(t.claims, v.schemes)
	if err != nil {
		return nil, i.invalid(t.kid, err)
	}
	s := v.subject(i, t, reg, c)
	if cuts := s.Properties.Cut; i.entry.BeyondGrant == "refuse" && len(cuts) > 0 {
		return nil, authz.Refuse(authz.IdentityIssuer, i.names(t.kid)+"claims beyond the grant: "+cuts[0].Claim)
	}
	return &verified{issuer: i, kid: t.kid, reg: reg, authTime: c.AuthTime, subject: s}, nil
}

func (i *issuer) invalid(kid string, err error) *authz.Refusal {
	return authz.Refuse(authz.IdentityInvalid, i.names(kid)+err.Error())
}

func (i *issuer) names(kid string) string {
	return fmt.Sprintf("token of %s, kid %s: ", i.id, quote(kid))
}

// key returns the one key that kid names, and its generation. Type and algorithm are ones that the issuer uses, and the algorithm is
// the key's.
func (i *issuer) key(t token) (key, uint64, error) {
	if !slices.Contains(i.entry.Types, t.typ) {
		return key{}, 0, errors.New("typ is none of the issuer's")
	}
	return i.algorithmKey(t)
}

// algorithmKey is key for any type.
func (i *issuer) algorithmKey(t token) (key, uint64, error) {
	if !slices.Contains(i.entry.Algorithms, t.alg) {
		return key{}, 0, errors.New("alg is none of the issuer's")
	}
	if i.keys == nil {
		return key{}, 0, errors.New("no keys are fetched")
	}
	k, generation, err := i.keys.key(t.kid)
	if err == nil && k.alg != t.alg {
		err = errors.New("alg is not the key's")
	}
	return k, generation, err
}

// sane holds audience and lifetime, which time does not change.
func (v *Verifier) sane(i *issuer, r registered, longest int64) error {
	audiences := v.audiences
	if len(i.entry.Audiences) > 0 {
		audiences = i.entry.Audiences // what the issuer calls this gateway
	}
	switch {
	case !slices.ContainsFunc(r.aud, func(a string) bool { return slices.Contains(audiences, a) }):
		return errors.New("aud: names neither this gateway nor an enclave of it")
	case r.exp <= r.iat:
		return errors.New("exp: not after iat")
	case r.exp-r.iat > longest:
		return fmt.Errorf("exp: more than %d s after iat", longest)
	}
	return nil
}

// inForce holds what time changes. It is asked of a remembered token too.
func (t *verified) inForce(now time.Time) *authz.Refusal {
	latest := now.Add(maxSkew).Unix()
	switch {
	case t.reg.iat > latest:
		return t.issuer.invalid(t.kid, errors.New("iat: in the future"))
	case t.reg.nbf > latest:
		return t.issuer.invalid(t.kid, errors.New("nbf: in the future"))
	case t.authTime > latest:
		return t.issuer.invalid(t.kid, errors.New("auth_time: in the future"))
	case now.Unix() >= t.reg.exp:
		return authz.Refuse(authz.IdentityExpired, t.issuer.names(t.kid)+"ended "+date(t.reg.exp).String())
	}
	return nil
}

// standing holds that nothing of t is revoked, by the bundle or locally.
func (v *Verifier) standing(t *verified) *authz.Refusal {
	if v.revoked.stale != nil {
		return authz.Refuse(authz.FreshnessRevocation, v.revoked.stale.Error())
	}
	why := v.revoked.why(t)
	if v.denials != nil {
		local := v.denials.current.Load()
		if local.err != nil {
			return authz.Refuse(authz.FreshnessRevocation, "local revocations are stale: "+local.err.Error())
		}
		if why == "" {
			why = local.list.why(t)
		}
	}
	if why == "" {
		return nil
	}
	return authz.Refuse(authz.IdentityRevoked, t.issuer.names(t.kid)+why)
}

// asOf returns the subject with what depends on the time and on the request.
func (t *verified) asOf(now time.Time, binding string) authz.Subject {
	since := t.reg.iat
	if t.authTime != 0 {
		since = t.authTime
	}
	age := max(now.Unix()-since, 0)
	s := t.subject
	s.Properties.Assurance.AgeSeconds, s.Properties.Assurance.Binding = &age, binding
	return s
}

// subject cuts the claims to the issuer's grant.
func (v *Verifier) subject(i *issuer, t token, r registered, c claims) authz.Subject {
	cut := &cutter{issuer: i, schemes: v.schemes, cuts: []authz.Cut{}}
	s := authz.Subject{
		Type:       cut.subjectType(c.SubjectType),
		ID:         i.id + "|" + r.sub,
		Properties: cut.properties(c, sinceIssued(r.iat), date(r.exp)),
		Evidence: authz.Evidence{
			Issuer: t.iss, KeyID: t.kid, TokenDigest: digest(t, r),
			IssuedAt: date(r.iat), Expires: date(r.exp), Claims: c.evidence(),
		},
		Location: c.Location,
	}
	if s.Properties.Tenant != nil {
		s.Properties.Session.Tracked = v.tracked[*s.Properties.Tenant]
	}
	s.Properties.Cut = cut.cuts
	s.Approvals = append([]authz.Approval{}, v.approvals[s.ID]...)
	return s
}

func digest(t token, r registered) string {
	name := r.jti
	if name == "" {
		name = t.signed()
	}
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

// sinceIssued is from when what was issued at a time counts here: the issuer's clock may be ahead of ours.
func sinceIssued(unix int64) authz.Time { return date(unix - int64(maxSkew/time.Second)) }

func date(unix int64) authz.Time { return authz.At(time.Unix(unix, 0)) }
