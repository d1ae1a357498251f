package demo

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwk"
)

// issuerAlgorithms says how each issuer of the demo signs; the bundle's issuer entries must allow it.
var issuerAlgorithms = map[string]jwa.SignatureAlgorithm{
	"usa": jwa.ES256, "gbr": jwa.ES256, "fra": jwa.ES384, "deu": jwa.ES256, "nzl": jwa.ES256, "can": jwa.ES256, "provider": jwa.ES256,
}

// makeIssuerKeys makes the keys of the issuers that have none yet.
func makeIssuerKeys(l Layout) error {
	for id, alg := range issuerAlgorithms {
		path := l.IssuerKeys(id)
		if _, err := os.Stat(path); err == nil {
			continue
		} else if !errors.Is(err, fs.ErrNotExist) {
			return environment("issuer's keys: %w", err)
		}
		key, err := newKey(id, alg)
		if err != nil {
			return err
		}
		set := jwk.NewSet()
		if err := set.AddKey(key); err != nil {
			return fmt.Errorf("keys of issuer %s: %w", id, err)
		}
		if err := writeKeys(path, set); err != nil {
			return err
		}
	}
	return nil
}

func newECKey(alg jwa.SignatureAlgorithm) (*ecdsa.PrivateKey, error) {
	switch alg {
	case jwa.ES256:
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case jwa.ES384:
		return ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	}
	return nil, fmt.Errorf("algorithm %s: want ES256 or ES384", alg)
}

// ServeIssuers is the process of the issuers: OpenID Connect discovery and key sets of several issuers, told apart by path, on
// addr. It serves only the public parts of the keys in dir, read anew for each request, so that a rotated key is seen at once.
func ServeIssuers(ctx context.Context, dir, addr string) error {
	log := slog.New(slog.NewJSONHandler(os.Stderr, nil))
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return environment("issuers: %w", err)
	}
	s := &http.Server{
		Handler:           issuers(Layout{Dir: dir}, "http://"+addr, log),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       5 * time.Second,
		WriteTimeout:      5 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}
	stop := context.AfterFunc(ctx, func() { s.Close() })
	defer stop()
	log.Info("issuers ready", "address", addr)
	if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("issuers: %w", err)
	}
	return nil
}

// issuers answers for every issuer under base; any other path is 404.
func issuers(l Layout, base string, log *slog.Logger) http.Handler {
	mux := http.NewServeMux()
	for id, alg := range issuerAlgorithms {
		mux.HandleFunc("GET /"+id+"/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
			writeJSON(w, map[string]any{
				"issuer":                                base + "/" + id,
				"jwks_uri":                              base + "/" + id + "/jwks",
				"id_token_signing_alg_values_supported": []string{alg.String()},
				"response_types_supported":              []string{"id_token"},
				"subject_types_supported":               []string{"public"},
			})
		})
		mux.HandleFunc("GET /"+id+"/jwks", func(w http.ResponseWriter, _ *http.Request) {
			set, err := readKeys(l.IssuerKeys(id))
			if err == nil {
				set, err = jwk.PublicSetOf(set)
			}
			if err != nil {
				log.Error("key set", "issuer", id, "error", err)
				http.Error(w, "no keys", http.StatusServiceUnavailable)
				return
			}
			writeJSON(w, set)
		})
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		log.Info("request", "method", r.Method, "path", r.URL.Path)
		mux.ServeHTTP(w, r)
	})
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v) // an error means that the client has gone
}
