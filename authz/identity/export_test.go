package identity

// FrontEnd is what the form check makes of a token: the payload that a signature must turn out to cover, and the header's members.
func FrontEnd(compact string) (payload []byte, header [3]string, err error) {
	t, err := parseToken(compact)
	return t.payload, [3]string{t.alg, t.typ, t.kid}, err
}

// ParseJWKS is the filter of key sets: the algorithm of each usable key by kid, and what was left out and why.
func ParseJWKS(b []byte, algorithms ...string) (usable map[string]string, refused []string, err error) {
	keys, refused, err := parseJWKS(b, algorithms)
	usable = map[string]string{}
	for kid, k := range keys {
		usable[kid] = k.alg
	}
	return usable, refused, err
}
