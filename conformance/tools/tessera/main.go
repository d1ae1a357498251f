// Command tessera reads a log that `sallyport audit export --format tiles` wrote, with a reader that shares no code with the writer:
// tessera's fsck makes the whole tree again from the entries and compares each tile, and its client proves leaves and the way from one
// size to another.
//
//	tessera DIR KEYFILE
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"github.com/transparency-dev/tessera/api"
	"github.com/transparency-dev/tessera/client"
	"github.com/transparency-dev/tessera/fsck"
	"golang.org/x/mod/sumdb/note"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: tessera DIR KEYFILE")
		os.Exit(2)
	}
	if err := check(context.Background(), os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "tessera:", err)
		os.Exit(1)
	}
}

func check(ctx context.Context, dir, keyFile string) error {
	key, err := os.ReadFile(keyFile)
	if err != nil {
		return err
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(string(key)))
	if err != nil {
		return err
	}
	log := client.FileFetcher{Root: dir}
	if err := fsck.New(verifier.Name(), verifier, log, leafHashes, fsck.Opts{N: 2}).Check(ctx); err != nil {
		return fmt.Errorf("fsck: %w", err)
	}
	c, _, _, err := client.FetchCheckpoint(ctx, log.ReadCheckpoint, verifier, verifier.Name())
	if err != nil {
		return err
	}
	prover, err := client.NewProofBuilder(ctx, c.Size, log.ReadTile)
	if err != nil {
		return err
	}
	proven := 0
	for index := uint64(0); index < c.Size; index += 1 + c.Size/100 {
		hashes, err := client.FetchLeafHashes(ctx, log.ReadTile, index, 1, c.Size)
		if err != nil {
			return err
		}
		path, err := prover.InclusionProof(ctx, index)
		if err != nil {
			return err
		}
		if err := proof.VerifyInclusion(rfc6962.DefaultHasher, index, c.Size, hashes[0], path, c.Hash); err != nil {
			return fmt.Errorf("leaf %d: %w", index, err)
		}
		bundle, err := client.GetEntryBundle(ctx, log.ReadEntryBundle, index/256, c.Size)
		if err != nil {
			return err
		}
		if leaf := rfc6962.DefaultHasher.HashLeaf(bundle.Entries[index%256]); !bytes.Equal(leaf, hashes[0]) {
			return fmt.Errorf("leaf %d: the entry has another hash", index)
		}
		proven++
	}
	if proven == 0 {
		return errors.New("the log is empty")
	}
	fmt.Printf("fsck and %d proofs of a log of %d lines: good\n", proven, c.Size)
	return nil
}

// leafHashes returns the hashes of the entries of a bundle.
func leafHashes(bundle []byte) ([][]byte, error) {
	var b api.EntryBundle
	if err := b.UnmarshalText(bundle); err != nil {
		return nil, err
	}
	hashes := make([][]byte, len(b.Entries))
	for i, entry := range b.Entries {
		hashes[i] = rfc6962.DefaultHasher.HashLeaf(entry)
	}
	return hashes, nil
}
